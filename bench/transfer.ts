/**
 * Large transfers, proved by a checksum: through the echo server and back, through
 * the proxy before it, and of a file by sendfile(2).
 *
 *     deno run --allow-all bench/transfer.ts [MiB, 1024 by default]
 */
import { createHash, type Hash } from "node:crypto";
import { argv, exit } from "node:process";
import { Engine } from "../mod.ts";
import { Program } from "../tests/support/process.ts";

const MIB = 1024 * 1024;
const CHUNK = new Uint8Array(MIB);

/** Fills the chunk with what the place in the stream says. */
function chunkAt(index: number): Uint8Array {
  new Uint32Array(CHUNK.buffer).fill(Math.imul(index + 1, 0x9e3779b1));
  return CHUNK;
}

/** Sends so many MiB and ends. Returns their checksum. */
async function send(conn: Deno.TcpConn, mib: number): Promise<string> {
  const hash = createHash("sha1");
  for (let index = 0; index < mib; index++) {
    const chunk = chunkAt(index);
    hash.update(chunk);
    for (let sent = 0; sent < MIB;) {
      sent += await conn.write(chunk.subarray(sent));
    }
  }
  await conn.closeWrite();
  return hash.digest("hex");
}

/** Reads up to the end. Returns the checksum. */
async function receive(conn: Deno.TcpConn): Promise<string> {
  const hash: Hash = createHash("sha1");
  const buffer = new Uint8Array(MIB);
  for (let count; (count = await conn.read(buffer)) !== null;) {
    hash.update(buffer.subarray(0, count));
  }
  return hash.digest("hex");
}

function report(what: string, exact: boolean, mib: number, beginMs: number) {
  const seconds = (performance.now() - beginMs) / 1000;
  const speed = (mib / seconds).toFixed(0);
  console.log(
    `${what}: ${mib} MiB ${exact ? "exact" : "WRONG"}, ${speed} MiB/s`,
  );
  if (!exact) exit(1);
}

async function roundTrip(what: string, port: number, mib: number) {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const beginMs = performance.now();
  const [sent, received] = await Promise.all([send(conn, mib), receive(conn)]);
  report(what, sent === received, mib, beginMs);
}

async function fileTransfer(mib: number) {
  const path = await Deno.makeTempFile({ prefix: "edgewise-transfer-" });
  try {
    const hash = createHash("sha1");
    using file = await Deno.open(path, { write: true });
    for (let index = 0; index < mib; index++) {
      const chunk = chunkAt(index);
      hash.update(chunk);
      for (let at = 0; at < MIB;) at += await file.write(chunk.subarray(at));
    }
    await using server = Program.deno("bench/transfer.ts", {
      args: ["--serve", path],
    });
    const port = await server.port();
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const beginMs = performance.now();
    const received = await receive(conn);
    report("sendfile", received === hash.digest("hex"), mib, beginMs);
  } finally {
    await Deno.remove(path);
  }
}

/** Sends a file to whoever connects. */
function serve(path: string) {
  const engine = new Engine();
  const listener = engine.listen({}, {
    open(connection) {
      connection.sendFile(path);
      connection.end();
    },
  });
  console.log(`listening on 127.0.0.1:${listener.port}`);
  engine.run();
}

if (argv[2] === "--serve") serve(argv[3] ?? "");
else {
  const mib = Number(argv[2] ?? 1024);
  await using echo = Program.deno("examples/echo_edge.ts", { args: ["0"] });
  const echoPort = await echo.port();
  await roundTrip("echo", echoPort, mib);
  await using proxy = Program.deno("examples/tcp_proxy.ts", {
    args: ["0", `127.0.0.1:${echoPort}`],
  });
  await roundTrip("proxy before echo", await proxy.port(), mib);
  await fileTransfer(mib);
}
