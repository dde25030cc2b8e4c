/**
 * An HTTP server of several workers behind one port, which it shares in the way
 * that you name: reuseport, exclusive or handover. SIGHUP replaces the workers,
 * and no request fails meanwhile; SIGTERM and SIGINT end it.
 *
 *     deno run --allow-ffi --allow-read examples/http_workers.ts [port] [workers] [way]
 */
import process from "node:process";
import { Server, type SharePolicy } from "../src/server/mod.ts";
import { fail } from "./echo.ts";

const [, , port = "8080", workers = "2", share = "reuseport"] = process.argv;
const module = new URL("workers/http_worker.ts", import.meta.url);
try {
  const server = new Server(module, {
    port: Number(port),
    workers: Number(workers),
    share: share as SharePolicy,
    backlog: 4096,
  });
  await server.ready;
  console.log(`listening on 127.0.0.1:${server.port}`);
  await server.finished;
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
