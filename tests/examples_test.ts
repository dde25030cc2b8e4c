/** The echo examples as a user runs them, and clients that others wrote. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createConnection } from "node:net";
import { test } from "./support/descriptors.ts";
import { ForeignClient, isInstalled } from "./support/foreign_client.ts";
import { pattern } from "./support/net_engine.ts";
import { Peer, PeerListener } from "./support/net_peer.ts";
import { denoArgs, Program, runDeno } from "./support/process.ts";
import { parseTrace, straceTest } from "./support/strace.ts";

const EXAMPLES = ["examples/echo_edge.ts", "examples/echo_level.ts"];
const PERMISSIONS = [
  "--allow-ffi",
  `--allow-ffi=/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
];
/** Enough for a loaded machine; what works is never near it. */
const TIMEOUT_MS = 60_000;
const LARGE = pattern(3_000_000);

/** An example on a port of its own. A client that waits in vain sees it end. */
class EchoServer implements AsyncDisposable {
  readonly program: Program;
  readonly #timer: ReturnType<typeof setTimeout>;

  private constructor(program: Program, readonly port: number) {
    this.program = program;
    this.#timer = setTimeout(() => program.signal("SIGKILL"), TIMEOUT_MS);
  }

  static async start(
    script: string,
    permission: string = "--allow-ffi",
  ): Promise<EchoServer> {
    const flags = ["--no-prompt", permission];
    const program = Program.deno(script, { flags, args: ["0"] });
    return new EchoServer(program, await program.port());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.program[Symbol.asyncDispose]();
  }
}

/** Reads up to the end. */
async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    chunks.push(buffer.slice(0, count));
  }
  return Buffer.concat(chunks);
}

/** Writes all of it. */
async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await conn.write(bytes.subarray(sent));
  }
}

async function denoClient(port: number): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const writing = writeAll(conn, LARGE).then(() => conn.closeWrite());
  const echoed = await readAll(conn);
  await writing;
  assertEquals(Buffer.compare(echoed, LARGE), 0);
}

async function nodeClient(port: number): Promise<void> {
  const socket = createConnection(port, "127.0.0.1");
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "connect");
  socket.end(LARGE);
  await once(socket, "close");
  assertEquals(Buffer.compare(Buffer.concat(chunks), LARGE), 0);
}

const PYTHON = `
import socket, sys, threading
sent = bytes(i * 7 % 251 for i in range(1_000_003))
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for i in range(100):
    s.sendall(b"%d" % i)
    assert s.recv(100) == b"%d" % i
def send():
    s.sendall(sent)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = b""
while True:
    chunk = s.recv(65536)
    if not chunk: break
    got += chunk
assert got == sent
print("exact")
`;

async function pythonClient(port: number): Promise<void> {
  await using python = new Program("python3", ["-c", PYTHON, `${port}`]);
  const { code, stdout, stderr } = await python.finished();
  assertEquals([code, stdout, stderr], [0, "exact\n", ""]);
}

/** A client that is a program, if it is there. */
function program(
  command: string,
  args: (port: number) => string[],
  talk: (client: ForeignClient) => Promise<void>,
) {
  return async (port: number) => {
    if (!await isInstalled(command)) {
      console.log(`${command} is not installed`);
      return;
    }
    await using client = new ForeignClient(command, args(port));
    await talk(client);
  };
}

async function exchangeLines(client: ForeignClient): Promise<void> {
  await client.exchange("hello");
  await client.exchange("x".repeat(5000));
}

const clients: Record<string, (port: number) => Promise<void>> = {
  "Deno.connect": denoClient,
  "node:net": nodeClient,
  python3: pythonClient,
  nc: program("nc", (port) => ["127.0.0.1", `${port}`], exchangeLines),
  socat: program(
    "socat",
    (port) => ["-", `TCP:127.0.0.1:${port}`],
    exchangeLines,
  ),
  // It takes its own request for an answer of HTTP/0.9, which has no header.
  curl: program(
    "curl",
    (port) => ["-sN", "--http0.9", `http://127.0.0.1:${port}/hello`],
    (client) => client.hears("GET /hello HTTP/1.1"),
  ),
};

for (const script of EXAMPLES) {
  for (const permission of PERMISSIONS) {
    test(`${script} echoes to clients that others wrote, with ${permission}`, async () => {
      await using server = await EchoServer.start(script, permission);
      for (const client of Object.values(clients)) {
        await client(server.port);
      }
      assertEquals(
        server.program.stdout,
        `listening on 127.0.0.1:${server.port}\n`,
      );
      assertEquals(server.program.stderr, "");
    });
  }

  test(`${script} serves all of them at the same time`, async () => {
    await using server = await EchoServer.start(script);
    const all = Object.values(clients);
    await Promise.all([...all, ...all].map((run) => run(server.port)));
    assertEquals(server.program.stderr, "");
  });

  test(`${script} goes on after clients that vanish`, async () => {
    await using server = await EchoServer.start(script);
    for (let round = 0; round < 20; round++) {
      const peer = Peer.connect(server.port);
      peer.trySend(LARGE);
      if (round % 2 === 0) peer.reset();
      else peer.close();
    }
    await denoClient(server.port);
    assertEquals(server.program.stderr, "");
  });

  test(`${script} stops reading from a client that does not read`, async () => {
    await using server = await EchoServer.start(script);
    const bytes = pattern(64_000_000);
    using slow = await Deno.connect({
      hostname: "127.0.0.1",
      port: server.port,
    });
    let written = false;
    const writing = writeAll(slow, bytes).then(() => {
      written = true;
      return slow.closeWrite();
    });
    // Others are served meanwhile, and what it has not read is not buffered.
    for (let round = 0; round < 5; round++) await denoClient(server.port);
    assertEquals(written, false);
    const echoed = await readAll(slow);
    await writing;
    assertEquals(Buffer.compare(echoed, bytes), 0);
  });

  test(`${script} ends with one clear line and status 1 for a bad port`, async () => {
    const wrong = ["abc", "-1", "65536", "1.5", "", "0x50", "1e3", " 80"];
    const results = await Promise.all(
      wrong.map((port) =>
        runDeno(script, { flags: ["--allow-ffi"], args: [port] })
      ),
    );
    for (const [index, { code, stdout, stderr }] of results.entries()) {
      assertEquals([code, stdout], [1, ""]);
      assertEquals(stderr.match(/\n/g)?.length, 1, stderr);
      assert(stderr.includes("port"), stderr);
      assert(stderr.includes(`${wrong[index]}`), stderr);
    }
  });

  test(`${script} ends with one clear line and status 1 for a port in use`, async () => {
    using taken = new PeerListener();
    const flags = ["--allow-ffi"];
    const args = [`${taken.port}`];
    const { code, stdout, stderr } = await runDeno(script, { flags, args });
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr.match(/\n/g)?.length, 1, stderr);
    assert(stderr.includes("EADDRINUSE"), stderr);
    assert(stderr.includes(`127.0.0.1:${taken.port}`), stderr);
  });

  test(`${script} says what to do without the permission`, async () => {
    const flags = ["--no-prompt"];
    const { code, stdout, stderr } = await runDeno(script, {
      flags,
      args: ["0"],
    });
    assertEquals([code, stdout], [1, ""]);
    assert(stderr.includes("--allow-ffi"), stderr);
    assert(!stderr.includes("    at "), stderr);
  });

  straceTest(
    `${script} makes one recvfrom and one sendto for a message, by strace`,
    async () => {
      const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
      const messages = 50;
      try {
        const names = "trace=accept4,epoll_ctl,recvfrom,sendto";
        // -D: the process started is the traced one, not strace.
        const strace = ["-D", "-f", "-qq", "-e", names, "-e", "signal=none"];
        const options = { flags: ["--allow-ffi"], args: ["0"] };
        const deno = [Deno.execPath(), ...denoArgs(script, options)];
        await using server = new Program("strace", [
          ...strace,
          "-o",
          file,
          ...deno,
        ]);
        using conn = await Deno.connect({
          hostname: "127.0.0.1",
          port: await server.port(),
        });
        const buffer = new Uint8Array(64);
        for (let index = 0; index < messages; index++) {
          await conn.write(buffer);
          assertEquals(await conn.read(buffer), buffer.length);
        }
        await server.end("SIGTERM");
        const calls = parseTrace(await Deno.readTextFile(file));
        const accepted = calls.find(({ name, result }) =>
          name === "accept4" && result >= 0
        );
        const fd = accepted?.result;
        const counts = ["recvfrom", "sendto"].map((name) =>
          calls.filter((call) => call.name === name && call.fd === fd).length
        );
        assertEquals(counts, [messages, messages]);
        const changes = calls.filter(({ name, args }) =>
          name === "epoll_ctl" && args.includes(`, ${fd}, `)
        );
        assertEquals(changes.length, 1);
      } finally {
        await Deno.remove(file);
      }
    },
  );
}
