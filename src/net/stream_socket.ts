/**
 * What all connected stream sockets have: a descriptor, addresses, options.
 *
 * @module
 */

import { SO_ERROR, type SocketAddress, SOL_SOCKET } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { boundAddress, peerAddress } from "./socket.ts";
import {
  getSocketOption,
  setSocketOption,
  type SocketOptionName,
  type SocketOptions,
} from "./socket_options.ts";
import { type TcpInfo, tcpInfo } from "./tcp_info.ts";

/** When the kernel probes an idle peer. What is left out is the system's. */
export interface KeepAliveOptions {
  /** Seconds idle before the first probe, 1 to 32767. */
  idleSeconds?: number;
  /** Seconds between probes, 1 to 32767. */
  intervalSeconds?: number;
  /** Probes without an answer before the connection fails, 1 to 127. */
  count?: number;
}

/** A connected stream socket; {@linkcode Connection} reads and writes it. */
export abstract class StreamSocket implements Disposable {
  /** @internal */
  protected event: FdEvent;
  #localAddress: SocketAddress | null = null;
  #remoteAddress: SocketAddress | null = null;

  /** @internal */
  constructor(event: FdEvent) {
    this.event = event;
  }

  /** Whether the connection is closed: `close` has run or is about to. */
  abstract get closed(): boolean;

  /**
   * The socket's descriptor; -1 once the connection is closed, and while the
   * name of its host is looked up.
   */
  get fd(): number {
    return this.closed ? -1 : this.event.fd;
  }

  /** The local address; null if it was never asked for before closing. */
  get localAddress(): SocketAddress | null {
    if (this.#localAddress === null && !this.closed) {
      this.#localAddress = boundAddress(this.event.parts.calls, this.fd);
    }
    return this.#localAddress;
  }

  /** The peer's address; null if it was never asked for before it was gone. */
  get remoteAddress(): SocketAddress | null {
    if (this.#remoteAddress === null && !this.closed) {
      this.#remoteAddress = peerAddress(this.event.parts.calls, this.fd);
    }
    return this.#remoteAddress;
  }

  /**
   * Asks the kernel for the value of a socket option.
   *
   * @example
   * ```ts
   * import { Engine } from "@edgewise/epoll";
   *
   * using engine = new Engine();
   * const { port } = engine.listen({}, {});
   * const connection = engine.connect({ port }, {});
   * connection.setOption("TCP_USER_TIMEOUT", 30_000);
   * console.log(connection.getOption("TCP_USER_TIMEOUT")); // 30000
   * ```
   *
   * @throws {SystemError} `EOPNOTSUPP` or `ENOPROTOOPT` where the socket has no
   * such option, `EBADF` once it is closed.
   */
  getOption<K extends SocketOptionName>(option: K): SocketOptions[K] {
    return getSocketOption(this.event.parts.calls, this.fd, option);
  }

  /**
   * Sets a socket option.
   *
   * @throws {TypeError} If the option is not known, or the value is of another
   * type than the option's.
   * @throws {SystemError} As {@linkcode StreamSocket.getOption}; `EINVAL` for a
   * value out of its range; `EPERM` for one that takes a privilege.
   */
  setOption<K extends SocketOptionName>(
    option: K,
    value: SocketOptions[K],
  ): void {
    setSocketOption(this.event.parts.calls, this.fd, option, value);
  }

  /**
   * Sets TCP_NODELAY: whether small writes go out at once.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP, `EBADF` once
   * it is closed.
   */
  setNoDelay(enabled = true): void {
    this.setOption("TCP_NODELAY", enabled);
  }

  /**
   * Sets SO_KEEPALIVE: whether the kernel probes an idle peer; with options, on
   * and when.
   *
   * @throws {SystemError} `EBADF` once the connection is closed; with options,
   * `EOPNOTSUPP` where the socket is not TCP, `EINVAL` for one out of its range.
   */
  setKeepAlive(enabled: boolean | KeepAliveOptions = true): void {
    if (typeof enabled !== "boolean") {
      const { idleSeconds, intervalSeconds, count } = enabled;
      if (idleSeconds !== undefined) {
        this.setOption("TCP_KEEPIDLE", idleSeconds);
      }
      if (intervalSeconds !== undefined) {
        this.setOption("TCP_KEEPINTVL", intervalSeconds);
      }
      if (count !== undefined) this.setOption("TCP_KEEPCNT", count);
    }
    this.setOption("SO_KEEPALIVE", enabled !== false);
  }

  /**
   * Asks the kernel for what it knows of the TCP connection: its state, times,
   * losses and windows.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP, `EBADF` once
   * it is closed.
   */
  tcpInfo(): TcpInfo {
    return tcpInfo(this.event.parts.calls, this.fd);
  }

  /** Closes the socket at once. Closing again does nothing. */
  abstract close(): void;

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal There is another socket. */
  protected forgetAddresses(): void {
    this.#localAddress = null;
    this.#remoteAddress = null;
  }

  /** @internal Has close(2) send an RST, of a socket that there is. */
  protected resetOnClose(): void {
    if (this.event.fd >= 0) this.setOption("SO_LINGER", 0);
  }

  /** @internal The socket's pending error, cleared by this; 0 for none. */
  protected takeError(): number {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const { calls } = this.event.parts;
    calls.getsockopt(this.event.fd, SOL_SOCKET, SO_ERROR, bytes);
    return value[0];
  }
}
