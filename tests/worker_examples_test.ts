/** The examples with workers, as a user runs them. */
import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { test } from "./support/descriptors.ts";
import { pattern } from "./support/net_engine.ts";
import { PeerListener } from "./support/net_peer.ts";
import { Program, runDeno } from "./support/process.ts";
import { until, within } from "./support/within.ts";

const FLAGS = ["--no-prompt", "--allow-ffi", "--allow-read"];
const SCRIPT = "examples/echo_workers.ts";
const CLIENTS = 40;

function serve(...args: string[]): Program {
  return Program.deno(SCRIPT, { flags: FLAGS, args });
}

/** Sends bytes in pieces, and checks that they come back. */
async function client(port: number, number: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = pattern(number % 10 === 0 ? 1_000_000 : 100 * number, number);
  const writing = (async () => {
    for (let sent = 0; sent < bytes.length;) {
      sent += await connection.write(bytes.subarray(sent, sent + 65_000));
    }
    await connection.closeWrite();
  })();
  const buffer = new Uint8Array(65536);
  let received = 0;
  for (let count; (count = await connection.read(buffer)) !== null;) {
    const expected = bytes.subarray(received, received + count);
    assertEquals(buffer.subarray(0, count).toString(), expected.toString());
    received += count;
  }
  await writing;
  assertEquals(received, bytes.length);
}

/** The connections to a port that its server has not closed. */
function openConnections(port: number): number {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8").split("\n").filter((line) => {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    // Listening sockets, and those that only the kernel still has, don't count.
    return local.endsWith(address) && state !== "0A" && inode !== "0";
  }).length;
}

for (const way of ["reuseport", "exclusive", "handover"]) {
  test(`echo_workers.ts serves many clients: ${way}`, async () => {
    await using server = serve("0", "3", way);
    const port = await server.port();
    const clients = Array.from(
      { length: CLIENTS },
      (_, number) => client(port, number),
    );
    await within(Promise.all(clients), "the clients", 20_000);
    // Every connection is closed by whoever had it last.
    await until(() => openConnections(port) === 0);
    const { signal, stdout, stderr } = await server.end("SIGTERM");
    assertEquals([signal, stderr], ["SIGTERM", ""]);
    assertEquals(stdout, `listening on 127.0.0.1:${port}\n`);
  });
}

test("echo_workers.ts survives clients that come and go", async () => {
  await using server = serve("0", "2", "handover");
  const port = await server.port();
  for (let round = 0; round < 100; round++) {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  }
  await within(client(port, 7), "the client");
  await until(() => openConnections(port) === 0);
});

for (
  const [args, message] of [
    [["x"], "The port must be an integer from 0 to 65535, and is x"],
    [["65536"], "The port must be an integer from 0 to 65535, and is 65536"],
    [
      ["0", "0"],
      "The number of workers must be an integer from 1 to 64, and is 0",
    ],
    [
      ["0", "1.5"],
      "The number of workers must be an integer from 1 to 64, and is 1.5",
    ],
    [
      ["0", "2", "both"],
      "The way must be reuseport, exclusive or handover, and is both",
    ],
  ] as const
) {
  test(`echo_workers.ts ${args.join(" ")} ends with a line that says why`, async () => {
    const { code, stdout, stderr } = await runDeno(SCRIPT, {
      flags: FLAGS,
      args: [...args],
    });
    assertEquals([code, stdout, stderr], [1, "", `${message}\n`]);
  });
}

for (const way of ["reuseport", "exclusive", "handover"]) {
  test(`echo_workers.ts says that its port is taken: ${way}`, async () => {
    using listener = new PeerListener();
    const { port } = listener;
    const { code, stdout, stderr } = await runDeno(SCRIPT, {
      flags: FLAGS,
      args: [String(port), "2", way],
    });
    assertEquals([code, stdout], [1, ""]);
    assert(
      /^bind: EADDRINUSE \(.*\), address 127\.0\.0\.1:\d+\n$/.test(stderr),
      stderr,
    );
  });
}

test("worker_wakeup.ts tells what woke it, and ends by itself", async () => {
  const { code, stdout, stderr } = await runDeno("examples/worker_wakeup.ts", {
    flags: FLAGS,
  });
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.slice(0, -1), [
    "waiting, with this thread blocked",
    "woken by a notification",
    "woken by a message: hello",
    "woken by a message: from a worker",
    "woken by a message: goodbye",
  ]);
  assert(/^3 messages and [1-4] wake-ups$/.test(lines.at(-1) ?? ""), stdout);
});

test("json_messages.ts gets its answers, and ends by itself", async () => {
  const { code, stdout, stderr } = await runDeno("examples/json_messages.ts", {
    flags: FLAGS,
  });
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout, "answer 1: 6\nanswer 2: 0.75\nanswer 3: 0\n");
});
