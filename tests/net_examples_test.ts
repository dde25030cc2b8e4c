/** The proxy, and the guide's accept and connect, as a user runs them. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { test } from "./support/descriptors.ts";
import { pattern } from "./support/net_engine.ts";
import { closedPort, Peer } from "./support/net_peer.ts";
import { denoArgs, Program, runDeno } from "./support/process.ts";
import { parseTrace, straceTest } from "./support/strace.ts";
import { until } from "./support/within.ts";

const LARGE = pattern(20_000_000);

/** Sends all and ends, and reads up to the end. */
async function exchange(port: number, bytes: Uint8Array): Promise<Buffer> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const sending = (async () => {
    for (let sent = 0; sent < bytes.length;) {
      sent += await conn.write(bytes.subarray(sent));
    }
    await conn.closeWrite();
  })();
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    chunks.push(buffer.slice(0, count));
  }
  await sending;
  return Buffer.concat(chunks);
}

for (const host of ["127.0.0.1", "localhost"]) {
  for (const flag of ["--allow-ffi", scopedFlag]) {
    test(`tcp_proxy.ts passes everything on to ${host}, with ${flag}`, async () => {
      const flags = ["--no-prompt", flag];
      await using server = Program.deno("examples/echo_edge.ts", {
        flags,
        args: ["0"],
      });
      const target = `${host}:${await server.port()}`;
      await using proxy = Program.deno("examples/tcp_proxy.ts", {
        flags,
        args: ["0", target],
      });
      const port = await proxy.port();
      const results = await Promise.all(
        Array.from({ length: 4 }, () => exchange(port, LARGE)),
      );
      for (const result of results) assert(result.equals(LARGE));
      assertEquals((await exchange(port, new Uint8Array(0))).length, 0);
      assertEquals(proxy.stderr, "");
    });
  }
}

test("tcp_proxy.ts resets clients for whom there is no server, and goes on", async () => {
  const target = `127.0.0.1:${closedPort()}`;
  await using proxy = Program.deno("examples/tcp_proxy.ts", {
    flags: ["--allow-ffi"],
    args: ["0", target],
  });
  const port = await proxy.port();
  for (let round = 0; round < 3; round++) {
    using peer = Peer.connect(port);
    let text = "";
    await until(() => (text = peer.receiveText()) !== "EAGAIN");
    assertEquals(text, "ECONNRESET");
  }
  await until(() => proxy.stderr.split("\n").length === 4);
  const lines = proxy.stderr.trimEnd().split("\n");
  for (const line of lines) {
    assert(line.startsWith("connect: ECONNREFUSED"), line);
    assert(line.endsWith(`address ${target}`), line);
  }
});

test("tcp_proxy.ts ends with one clear line and status 1 for bad arguments", async () => {
  const wrong = [["x", "a:1"], ["70000", "a:1"], ["0"], ["0", "host"], [
    "0",
    "a:0",
  ]];
  for (const args of wrong) {
    const { code, stdout, stderr } = await runDeno("examples/tcp_proxy.ts", {
      flags: ["--allow-ffi"],
      args,
    });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^The (port|target) must be .*\n$/);
  }
});

test("accept.ts accepts until EAGAIN", async () => {
  await using program = Program.deno("examples/guide/accept.ts", {
    flags: ["--no-prompt", scopedFlag],
    args: ["0"],
  });
  const port = await program.port();
  for (const all of [1, 6, 26]) {
    const before = Number(program.stdout.match(/(\d+) in all\n$/)?.[1] ?? 0);
    const peers = Array.from(
      { length: all - before },
      () => Peer.connect(port),
    );
    for (const peer of peers) {
      let text = "";
      await until(() => (text = peer.receiveText()) !== "EAGAIN");
      assertEquals(text, "hello\n");
      peer.close();
    }
    await program.waitFor(new RegExp(`accepted until EAGAIN, ${all} in all\n`));
  }
  assertEquals(program.stderr, "");
});

test("connect.ts gets a page, however large", async () => {
  const body = "0123456789".repeat(300_000);
  const server = createServer((request, response) => {
    response.end(
      request.url === "/large" ? body : `you asked for ${request.url}`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    for (const path of ["/small", "/large"]) {
      const { code, stdout, stderr } = await runDeno(
        "examples/guide/connect.ts",
        {
          flags: ["--no-prompt", scopedFlag],
          args: [`${port}`, path],
        },
      );
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^HTTP\/1\.1 200 OK\r\n/);
      const content = stdout.slice(stdout.indexOf("\r\n\r\n") + 4);
      assertEquals(
        content === (path === "/large" ? body : `you asked for ${path}`),
        true,
      );
    }
  } finally {
    server.close();
    await once(server, "close");
  }
});

test("connect.ts says so where nobody listens", async () => {
  const port = closedPort();
  const { code, stdout, stderr } = await runDeno("examples/guide/connect.ts", {
    flags: ["--allow-ffi"],
    args: [`${port}`],
  });
  assertEquals([code, stdout], [1, ""]);
  assert(stderr.startsWith("connect: ECONNREFUSED"), stderr);
  assert(stderr.endsWith(`127.0.0.1:${port}\n`), stderr);
});

straceTest(
  "tcp_proxy.ts splices and neither receives nor sends, by strace",
  async () => {
    const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
    try {
      await using server = Program.deno("examples/echo_edge.ts", {
        args: ["0"],
      });
      const target = `127.0.0.1:${await server.port()}`;
      const names = "trace=splice,recvfrom,sendto,sendmsg,writev";
      const options = { flags: ["--allow-ffi"], args: ["0", target] };
      await using proxy = new Program("strace", [
        // -D: the process started is the traced one, not strace.
        ...["-D", "-f", "-qq", "-e", names, "-e", "signal=none", "-o", file],
        Deno.execPath(),
        ...denoArgs("examples/tcp_proxy.ts", options),
      ]);
      const port = await proxy.port();
      assert((await exchange(port, LARGE)).equals(LARGE));
      await proxy.end("SIGTERM");
      const calls = parseTrace(await Deno.readTextFile(file));
      const moved = calls.filter(({ name, result }) =>
        name === "splice" && result > 0
      );
      // Into a pipe and out of it, each way.
      const bytes = moved.reduce((sum, { result }) => sum + result, 0);
      assertEquals(bytes, 4 * LARGE.length);
      const others = calls.filter(({ name, fd }) =>
        name !== "splice" && moved.some((call) => call.fd === fd)
      );
      assertEquals(others, []);
    } finally {
      await Deno.remove(file);
    }
  },
);
