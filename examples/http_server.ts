/**
 * An HTTP server: keep-alive, pipelining, and requests as careful as the protocol
 * wants them. `GET /` says hello, and `POST /echo` sends back what it got.
 *
 *     deno run --allow-ffi examples/http_server.ts [port]
 */
import { argv } from "node:process";
import { hello } from "./http/hello.ts";
import { serveUntilEnded } from "./http/serve.ts";

serveUntilEnded(argv[2] ?? "8080", hello);
