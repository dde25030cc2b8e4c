/**
 * An edge-triggered echo server: the kernel reports a connection once when
 * something arrives.
 *
 *     deno run --allow-ffi examples/echo_edge.ts [port]
 */
import { serveEcho } from "./echo.ts";

serveEcho("edge");
