/** The chat of lines, as a process, with clients on different workers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Mail } from "../examples/chat/mail.ts";
import { type Notice, Room } from "../examples/chat/room.ts";
import { fromJson, toJson } from "../examples/workers/json.ts";
import { Engine, Outbox } from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { ForeignClient, isInstalled } from "./support/foreign_client.ts";
import { settle } from "./support/net_engine.ts";
import { Program, runDeno } from "./support/process.ts";
import { within } from "./support/within.ts";

const SCRIPT = "examples/chat.ts";
const FLAGS = ["--no-prompt", "--allow-ffi", "--allow-read"];
const WORKERS = 3;
/** Rounds of 50 KB: more than kernel and server may hold for one client. */
const ROUNDS_MAX = 2000;
const encoder = new TextEncoder();

function serve(...args: string[]): Program {
  return Program.deno(SCRIPT, { flags: FLAGS, args });
}

/** A client that keeps all it reads. */
class Client implements Disposable {
  text = "";
  readonly #conn: Deno.Conn;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Comes in; the room greets everybody. */
  static async connect(port: number): Promise<Client> {
    const client = new Client(await Deno.connect({ port }));
    await client.sees(/^\* guest\d+ has come\n/m);
    return client;
  }

  /** The name that the room gave it. */
  get name(): string {
    return this.text.match(/^\* You are (guest\d+)/)?.[1] ?? "";
  }

  async say(text: string): Promise<void> {
    const bytes = encoder.encode(text);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** Reads until the text has a match. */
  async sees(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      assert(await this.read(), `It ended before ${pattern}: ${this.text}`);
    }
  }

  /** Whether there was something to read before the end. */
  async read(): Promise<boolean> {
    const buffer = new Uint8Array(65536);
    const count = await within(this.#conn.read(buffer), "a line");
    if (count === null) return false;
    this.text += new TextDecoder().decode(buffer.subarray(0, count));
    return true;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** Clients for each worker; they are given out in turn. */
async function enter(port: number, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await Client.connect(port));
  return clients;
}

/** A server, and clients on its workers; it ends cleanly and says nothing more. */
function chatTest(
  name: string,
  count: number,
  run: (clients: Client[], port: number) => Promise<void>,
): void {
  test(`chat.ts ${name}`, async () => {
    await using server = serve("0", String(WORKERS));
    const port = await server.port();
    using open = new DisposableStack();
    const clients = await enter(port, count);
    for (const client of clients) open.use(client);
    await run(clients, port);
    const { code, stderr } = await server.end("SIGTERM");
    assertEquals([code, stderr], [0, ""]);
  });
}

chatTest("shows everybody the same lines in one order", 6, async (clients) => {
  await Promise.all(
    clients.map((client, number) => client.say(`${number} a\n${number} b\n`)),
  );
  const spoken: string[] = [];
  for (const client of clients) {
    for (let number = 0; number < clients.length; number++) {
      await client.sees(new RegExp(`: ${number} b\n`));
    }
    spoken.push(client.text.match(/^guest\d+: .*\n/gm)?.join("") ?? "");
  }
  assertEquals(spoken[0].split("\n").length, 13);
  assertEquals(new Set(spoken).size, 1);
});

chatTest("tells who comes and goes, and what they are called", 2, async (
  [ann, ben],
  port,
) => {
  await ann.say("/nick ann\r\n");
  await ben.sees(new RegExp(`\\* ${ann.name} is now ann\n`));
  await ben.say("/nick ann\n");
  await ben.sees(/\* ann is taken\n/);
  await ben.say("/nick guest1\n/nick \n");
  await ben.sees(/(\* A name has .*\n){2}/);
  await ben.say("/dance\n/who\n");
  await ben.sees(/\* There is no command \/dance\n/);
  await ben.sees(new RegExp(`\\* Here: ann, ${ben.name}\n`));
  {
    using third = await Client.connect(port);
    await third.say("in one \x1b[31mcolour\n");
    await ann.sees(/: in one \[31mcolour\n/);
  }
  await ann.sees(/\* guest\d+ has left\n/);
});

chatTest("refuses a line that is too long, and takes the next", 2, async (
  [ann, ben],
) => {
  await ann.say(`${"x".repeat(512)}\n`);
  await ben.sees(/: x{512}\n/);
  await ann.say(`${"y".repeat(513)}\nshort\n${"z".repeat(200_000)}\nlast\n`);
  await ben.sees(/: last\n/);
  await ann.sees(/(\* A line may have 512 bytes\n(.*\n)*){2}/);
  assert(!/yy|zz/.test(ben.text));
  assertMatch(ben.text, /: short\n/);
});

chatTest("drops who does not read, and others notice nothing", 4, async (
  [slow, talker, ...others],
) => {
  const dropped = new RegExp(
    `\\* ${slow.name} has been dropped: it reads too slowly\n`,
  );
  let count = 0;
  // The talker reads what it says, so that it is not dropped itself.
  while (!dropped.test(talker.text)) {
    await talker.say(`${"word ".repeat(100)}${count}\n`.repeat(100));
    for (const client of [talker, ...others]) {
      await client.sees(new RegExp(` ${count}\n`));
      client.text = client.text.replace(/^guest.*\n/gm, "");
    }
    assert(++count < ROUNDS_MAX, "Nobody is dropped");
  }
  await talker.say("still here\n");
  for (const client of [talker, ...others]) {
    await client.sees(dropped);
    await client.sees(/: still here\n/);
  }
});

test("a worker that is too far behind is told that lines are missing", () => {
  using engine = new Engine();
  const lines: string[] = [];
  const inbox = engine.inbox({ laneBytes: 256 }, (message) => {
    lines.push(fromJson<Notice>(message).line);
  });
  using outbox = new Outbox(inbox.address);
  const mail = new Mail(outbox);
  const send = (line: string) => mail.send(toJson({ to: null, line }));
  for (let line = 0; line < 100; line++) send(`${line}`);
  settle(engine);
  send("after");
  settle(engine);
  const [first, second] = lines;
  assertEquals([first, second], ["0", "1"]);
  assertEquals(lines.slice(-2), ["* Some lines are missing here", "after"]);
  assert(lines.length < 100);
});

test("/who names a hundred, and counts the rest", () => {
  const notices: Notice[] = [];
  const room = new Room((notice) => void notices.push(notice));
  for (let id = 1; id <= 10_000; id++) room.enter(id);
  room.report({ id: 7, line: "/who" });
  const { to, line } = notices.at(-1) ?? {};
  assertEquals(to, 7);
  assertMatch(`${line}`, /^\* Here: guest1, .*, guest100 and 9900 more$/);
});

test("chat.ts serves nc", async () => {
  if (!(await isInstalled("nc"))) return console.log("nc is not installed");
  await using server = serve("0", "2");
  const port = await server.port();
  await using one = new ForeignClient("nc", ["127.0.0.1", String(port)]);
  await one.hears("* guest1 has come\n");
  await using two = new ForeignClient("nc", ["127.0.0.1", String(port)]);
  await two.hears("* guest2 has come\n");
  await Promise.all([
    two.hears("guest1: hello\n"),
    one.exchange("hello"),
  ]);
  await Promise.all([
    one.hears("guest2: hello to you\n"),
    two.exchange("hello to you"),
  ]);
});

test("chat.ts ends with one line for what it can't do", async () => {
  for (
    const [args, message] of [
      [["x"], "The port must be an integer from 0 to 65535, and is x\n"],
      [
        ["0", "65"],
        "The number of workers must be an integer from 1 to 64, and is 65\n",
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await runDeno(SCRIPT, {
      flags: FLAGS,
      args: [...args],
    });
    assertEquals([code, stdout, stderr], [1, "", message]);
  }
});
