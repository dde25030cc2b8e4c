/**
 * Listeners and connections with the interfaces of `Deno.listen()` and
 * `Deno.connect()`, over an engine that runs beside the runtime's own event loop.
 * Code that is written for those runs by changing an import.
 *
 * ```ts
 * import { connect, listen } from "@edgewise/epoll/streams";
 *
 * const listener = listen({ hostname: "127.0.0.1", port: 0 });
 * (async () => {
 *   for await (const conn of listener) {
 *     conn.readable.pipeTo(conn.writable); // an echo, at the client's pace
 *   }
 * })();
 *
 * using conn = await connect({ port: listener.addr.port });
 * await conn.write(new TextEncoder().encode("hello"));
 * const buffer = new Uint8Array(5);
 * console.log(await conn.read(buffer)); // 5
 * listener.close();
 * ```
 *
 * What differs from Deno's: `close()` twice does nothing; whatever waits takes an
 * `AbortSignal`; several may wait in `accept()`; `allowHalfOpen` lets a web stream
 * end its own half alone. Errors are of Deno's classes (`Deno.errors`), with the
 * kernel's name as their `code`; in Bun they have the names alone.
 *
 * As in Deno, the process stays alive while an operation waits that is not
 * unreferenced, and ends by itself otherwise, whatever is open.
 *
 * It takes `--allow-ffi`, no `--allow-net`, and Linux 4.5.
 *
 * @module
 */

import { asRuntimeError, SystemError } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { listeningSocket } from "./listening_socket.ts";
import { endpointAddress } from "./socket.ts";
import {
  checkTransport,
  firstAddress,
  withoutBrackets,
} from "./streams_address.ts";
import { StreamConn, TcpStreamConn } from "./streams_conn.ts";
import { connectTo } from "./streams_connect.ts";
import { hostOn } from "./streams_host.ts";
import { StreamListener } from "./streams_listener.ts";
import type {
  NetAddr,
  TcpConn,
  TcpConnectOptions,
  TcpListener,
  TcpListenOptions,
  UnixAddr,
  UnixConn,
  UnixConnectOptions,
  UnixListener,
  UnixListenOptions,
} from "./streams_types.ts";

export type * from "./streams_types.ts";

/**
 * Listens for TCP connections, as `Deno.listen()` does.
 *
 * @example One request, answered by a stream
 * ```ts
 * import { connect, listen } from "@edgewise/epoll/streams";
 *
 * using listener = listen({ hostname: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([
 *   connect({ port: listener.addr.port }),
 *   listener.accept(),
 * ]);
 * const writer = server.writable.getWriter();
 * await writer.write(new TextEncoder().encode("hello"));
 * await writer.close(); // closes the connection
 * console.log(await new Response(client.readable).text()); // hello
 * ```
 *
 * @throws {RangeError} If a number is out of its range.
 * @throws {Error} `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`, as in
 * Deno; what else socket(2), bind(2) or listen(2) refuse as an `Error` with
 * `code`.
 */
export function listen(options: TcpListenOptions): TcpListener;
/** Listens for connections of unix sockets, likewise. */
export function listen(options: UnixListenOptions): UnixListener;
export function listen(
  options: TcpListenOptions | UnixListenOptions,
): TcpListener | UnixListener {
  const { engine, allowHalfOpen = false } = options;
  checkTransport("listen", options.transport);
  const host = hostOn(engine);
  const settings = { host, allowHalfOpen };
  const { calls } = host.parts;
  try {
    if (options.transport === "unix") {
      const fd = listeningSocket(calls, endpointAddress(options, 0), {});
      return new StreamListener<UnixConn, UnixAddr>(settings, fd, StreamConn);
    }
    const { hostname = "0.0.0.0", port, tcpBacklog, reusePort } = options;
    const address = endpointAddress({
      hostname: firstAddress(calls, hostname),
      ...(port === undefined ? {} : { port }),
    }, 0);
    const fd = listeningSocket(calls, address, {
      ...(tcpBacklog === undefined ? {} : { backlog: tcpBacklog }),
      ...(reusePort === undefined ? {} : { reusePort }),
    });
    return new StreamListener<TcpConn, NetAddr>(settings, fd, TcpStreamConn);
  } catch (error) {
    throw error instanceof SystemError ? asRuntimeError(error) : error;
  }
}

/**
 * Connects by TCP, as `Deno.connect()` does.
 *
 * @example Giving up
 * ```ts
 * import { connect, listen } from "@edgewise/epoll/streams";
 *
 * using listener = listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = await connect({ port: listener.addr.port, timeoutMs: 5_000 });
 * const signal = AbortSignal.timeout(10);
 * try {
 *   await conn.read(new Uint8Array(1), { signal });
 * } catch (error) {
 *   console.log((error as Error).name); // TimeoutError
 * }
 * ```
 *
 * @returns A promise that rejects with `ConnectionRefused`, `TimedOut`,
 * `NetworkUnreachable` and the like, with the signal's reason, or with an `Error`
 * of code `ENOTFOUND` where there is no such host.
 */
export function connect(options: TcpConnectOptions): Promise<TcpConn>;
/** Connects to a unix socket, likewise. */
export function connect(options: UnixConnectOptions): Promise<UnixConn>;
export async function connect(
  options: TcpConnectOptions | UnixConnectOptions,
): Promise<TcpConn | UnixConn> {
  const { engine, allowHalfOpen = false, signal, timeoutMs } = options;
  checkTransport("connect", options.transport);
  const settings = { host: hostOn(engine), allowHalfOpen };
  const limits = {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  if (options.transport === "unix") {
    const to = { ...limits, path: options.path };
    const take = (event: FdEvent) => new StreamConn<UnixAddr>(settings, event);
    return await connectTo(settings.host, to, take);
  }
  const { hostname = "127.0.0.1", port } = options;
  const to = { ...limits, hostname: withoutBrackets(hostname), port };
  const take = (event: FdEvent) => new TcpStreamConn(settings, event);
  return await connectTo(settings.host, to, take);
}
