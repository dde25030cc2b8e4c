/** The UDP echo example as a user runs it, with clients that others wrote. */
import { assert, assertEquals } from "@std/assert";
import { createSocket } from "node:dgram";
import { DatagramEnd } from "./support/datagram_peer.ts";
import { test } from "./support/descriptors.ts";
import { ForeignClient, isInstalled } from "./support/foreign_client.ts";
import { HEAP_METER_FLAG } from "./support/heap_meter.ts";
import { denoArgs, Program, runDeno } from "./support/process.ts";
import { parseTrace, straceTest } from "./support/strace.ts";

const EXAMPLE = "examples/udp_echo.ts";
const PERMISSIONS = [
  "--allow-ffi",
  `--allow-ffi=/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
];

const PYTHON = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for size in [0, 1, 100, 9000, 65507]:
    sent = bytes(i * 7 % 251 for i in range(size))
    s.sendto(sent, ("127.0.0.1", int(sys.argv[1])))
    got, sender = s.recvfrom(70000)
    assert got == sent, size
    assert sender == ("127.0.0.1", int(sys.argv[1])), sender
print("exact")
`;

async function pythonClient(port: number): Promise<void> {
  if (!await isInstalled("python3")) {
    console.log("python3 is not installed: not shown");
    return;
  }
  await using python = new Program("python3", ["-c", PYTHON, `${port}`]);
  const { code, stdout, stderr } = await python.finished();
  assertEquals([code, stdout, stderr], [0, "exact\n", ""]);
}

async function nodeClient(port: number): Promise<void> {
  const socket = createSocket("udp4");
  for (const text of ["one", "two"]) {
    const answered = Promise.withResolvers<string>();
    socket.once("message", (message) => answered.resolve(message.toString()));
    socket.send(text, port, "127.0.0.1");
    assertEquals(await answered.promise, text);
  }
  const closed = Promise.withResolvers<void>();
  socket.close(() => closed.resolve());
  await closed.promise;
}

/** A client that is a program, if it is there. */
function program(command: string, args: (port: number) => string[]) {
  return async (port: number) => {
    if (!await isInstalled(command)) {
      console.log(`${command} is not installed: not shown`);
      return;
    }
    await using client = new ForeignClient(command, args(port));
    await client.exchange("hello");
    await client.exchange("x".repeat(1000));
  };
}

const clients: Record<string, (port: number) => Promise<void>> = {
  "node:dgram": nodeClient,
  python3: pythonClient,
  nc: program("nc", (port) => ["-u", "127.0.0.1", `${port}`]),
  socat: program("socat", (port) => ["-", `UDP:127.0.0.1:${port}`]),
};

for (const permission of PERMISSIONS) {
  test(`${EXAMPLE} echoes to clients that others wrote, with ${permission}`, async () => {
    const flags = ["--no-prompt", permission];
    await using server = Program.deno(EXAMPLE, { flags, args: ["0"] });
    const port = await server.port();
    await Promise.all(Object.values(clients).map((run) => run(port)));
    assertEquals(server.stdout, `listening on 127.0.0.1:${port}\n`);
    assertEquals(server.stderr, "");
  });
}

test(`${EXAMPLE} ends with one clear line and status 1 for a bad port, and one in use`, async () => {
  using taken = new DatagramEnd();
  const wrong = ["abc", "-1", "65536", "1.5", "", `${taken.port}`];
  const results = await Promise.all(
    wrong.map((port) =>
      runDeno(EXAMPLE, { flags: ["--allow-ffi"], args: [port] })
    ),
  );
  for (const [index, { code, stdout, stderr }] of results.entries()) {
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr.match(/\n/g)?.length, 1, stderr);
    assert(stderr.includes(wrong[index]), stderr);
  }
  const inUse = results[5].stderr;
  assertEquals(
    inUse,
    `bind: EADDRINUSE (address already in use), address 127.0.0.1:${taken.port}\n`,
  );
});

straceTest(
  `${EXAMPLE} makes one recvmmsg and one sendmmsg for what came together, by strace`,
  async () => {
    const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
    try {
      const names = "trace=recvmmsg,sendmmsg,epoll_ctl,sendto,recvfrom";
      // -D: the process started is the traced one, not strace.
      const strace = ["-D", "-f", "-qq", "-e", names, "-e", "signal=none"];
      const options = { flags: ["--allow-ffi"], args: ["0"] };
      const deno = [Deno.execPath(), ...denoArgs(EXAMPLE, options)];
      await using server = new Program("strace", [
        ...strace,
        "-o",
        file,
        ...deno,
      ]);
      using end = DatagramEnd.to(await server.port());
      const rounds = [1, 50, 63];
      for (const count of rounds) {
        server.signal("SIGSTOP");
        await stopped(server.pid);
        for (let index = 0; index < count; index++) end.send(`${index}`);
        server.signal("SIGCONT");
        for (let left = count; left > 0;) {
          const got = end.receiveAll();
          left -= got.length;
          if (got.length === 0) await new Promise((done) => setTimeout(done));
        }
      }
      await server.end("SIGTERM");
      const calls = parseTrace(await Deno.readTextFile(file))
        .filter(({ name }) => name.endsWith("mmsg"));
      const each = (name: string) =>
        calls.filter((call) => call.name === name).map(({ result }) => result);
      assertEquals(each("recvmmsg"), rounds);
      // Messages: neighbours of one length go as segments of one.
      assertEquals(each("sendmmsg"), [1, 2, 2]);
    } finally {
      await Deno.remove(file);
    }
  },
);

/** Waits until every thread of a process has stopped. */
async function stopped(pid: number): Promise<void> {
  for (;;) {
    const states: string[] = [];
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
      states.push(stat.slice(stat.lastIndexOf(")") + 2)[0]);
    }
    if (states.every((state) => state === "T" || state === "t")) return;
    await new Promise((done) => setTimeout(done));
  }
}

test("a datagram allocates nothing on its way through an echo and back", async () => {
  const flags = ["--allow-all", HEAP_METER_FLAG];
  const { code, stdout, stderr } = await runDeno(
    "tests/children/datagram_steady_state.ts",
    { flags },
  );
  assertEquals(code, 0, stderr);
  // Less than this is what the runtime itself does in the meantime.
  assert(Number.parseFloat(stdout) < 1, `${stdout} bytes for each datagram`);
});
