/**
 * A level-triggered echo server: the kernel reports a connection for as long as
 * there is something to read.
 *
 *     deno run --allow-ffi examples/echo_level.ts [port]
 */
import { serveEcho } from "./echo.ts";

serveEcho("level");
