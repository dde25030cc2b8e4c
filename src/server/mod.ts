/**
 * A server of several workers behind one port, as `@edgewise/epoll/server`.
 *
 * @example
 * ```ts ignore
 * // main.ts
 * import { Server } from "@edgewise/epoll/server";
 *
 * const module = new URL("./worker.ts", import.meta.url);
 * await new Server(module, { port: 8080 }).finished;
 *
 * // worker.ts
 * import { runServerWorker } from "@edgewise/epoll/server";
 *
 * runServerWorker((_engine, worker) => ({
 *   data(connection, chunk) {
 *     connection.write(chunk);
 *     if (worker.draining) connection.end();
 *   },
 * }));
 * ```
 *
 * @module
 */

export type { ServerOptions, SharePolicy } from "./options.ts";
export { Server } from "./server.ts";
export { runServerWorker, type ServerWorker } from "./worker.ts";
