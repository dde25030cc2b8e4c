/**
 * Linux's event machinery for Deno: epoll through the runtime's FFI, and a typed
 * engine on top.
 *
 * @example An echo server
 * ```ts
 * import { Engine } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const listener = engine.listen({ port: 0 }, {
 *   data(connection, chunk) {
 *     connection.write(chunk);
 *   },
 * });
 * console.log(`listening on 127.0.0.1:${listener.port}`);
 * engine.timer(10, () => engine.stop());
 * engine.run();
 * ```
 *
 * @module
 */

export { Engine } from "./src/engine.ts";
export { FdEvent } from "./src/fd_event.ts";
export type { FdHandlers } from "./src/fd_handlers.ts";
export type { EngineMetrics } from "./src/metrics.ts";
export { Connection } from "./src/net/connection.ts";
export { Listener } from "./src/net/listener.ts";
export type {
  AdoptOptions,
  ConnectionHandlers,
  ConnectOptions,
  ListenOptions,
} from "./src/net/options.ts";
export { StreamSocket } from "./src/net/stream_socket.ts";
export type { EngineOptions, TimerOptions } from "./src/options.ts";
export type { EventState } from "./src/states.ts";
export { Timer } from "./src/timers.ts";
export type { Trigger } from "./src/trigger.ts";
export { SystemError } from "./ffi/mod.ts";
export type { Bytes, SocketAddress } from "./ffi/mod.ts";
