/** Starts `examples/echo_edge.ts` and proves that it echoes to a real client. */
import { Program } from "./support/process.ts";

const SCRIPT = "examples/echo_edge.ts";

/** A server that does not answer is ended, and its connection with it. */
const TIMEOUT_MS = 10_000;

/** Reads as many bytes as `length`, or fewer where the stream ends before. */
async function readExactly(conn: Deno.Conn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await conn.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return new TextDecoder().decode(bytes.subarray(0, filled));
}

async function proveEcho(): Promise<void> {
  console.log(`$ deno run --allow-ffi ${SCRIPT} 0`);
  await using server = Program.deno(SCRIPT, {
    flags: ["--allow-ffi"],
    args: ["0"],
  });
  const timer = setTimeout(() => server.signal("SIGKILL"), TIMEOUT_MS);
  const port = await server.port();
  console.log(`listening on 127.0.0.1:${port}, process ${server.pid}`);

  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  for (const message of ["hello", "from another process", "×".repeat(20)]) {
    const bytes = new TextEncoder().encode(message);
    await conn.write(bytes);
    const answer = await readExactly(conn, bytes.length);
    console.log(`sent     ${message}\nreceived ${answer}`);
    if (answer !== message) throw new Error("The echo differs");
  }
  clearTimeout(timer);
}

try {
  await proveEcho();
  console.log("ok");
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
