/**
 * What all sockets with a peer have: a descriptor, addresses, options.
 *
 * @module
 */

import type { SocketAddress } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { boundAddress, peerAddress } from "./socket.ts";
import {
  getSocketOption,
  setSocketOption,
  type SocketOptionName,
  type SocketOptions,
} from "./socket_options.ts";

interface Addresses {
  local: SocketAddress | null;
  remote: SocketAddress | null;
}

/** A socket: {@linkcode Connection} and {@linkcode Datagram} are what there is. */
export abstract class BaseSocket implements Disposable {
  /** @internal Another one when another address is tried. */
  protected event: FdEvent;
  /** As far as somebody has asked for them. */
  #addresses: Addresses | null = null;

  /** @internal */
  constructor(event: FdEvent) {
    this.event = event;
  }

  /** Whether the socket is closed: `close` has run or is about to. */
  abstract get closed(): boolean;

  /**
   * The socket's descriptor; -1 once it is closed, and while the name of a
   * connection's host is looked up.
   */
  get fd(): number {
    return this.closed ? -1 : this.event.fd;
  }

  /** The local address; null if it was never asked for before closing. */
  get localAddress(): SocketAddress | null {
    if (this.closed) return this.#addresses?.local ?? null;
    this.#addresses ??= { local: null, remote: null };
    this.#addresses.local ??= boundAddress(this.event.parts.calls, this.fd);
    return this.#addresses.local;
  }

  /**
   * The address of the peer; null if there is none, or it was never asked for
   * before it was gone.
   */
  get remoteAddress(): SocketAddress | null {
    if (this.closed) return this.#addresses?.remote ?? null;
    this.#addresses ??= { local: null, remote: null };
    this.#addresses.remote ??= peerAddress(this.event.parts.calls, this.fd);
    return this.#addresses.remote;
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
   * @throws {SystemError} As {@linkcode BaseSocket.getOption}; `EINVAL` for a
   * value out of its range; `EPERM` for one that takes a privilege.
   */
  setOption<K extends SocketOptionName>(
    option: K,
    value: SocketOptions[K],
  ): void {
    setSocketOption(this.event.parts.calls, this.fd, option, value);
  }

  /** Closes the socket at once. Closing again does nothing. */
  abstract close(): void;

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal There is another socket. */
  protected forgetAddresses(): void {
    this.#addresses = null;
  }
}
