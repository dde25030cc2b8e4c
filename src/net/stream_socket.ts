/**
 * What all connected stream sockets have: a descriptor, addresses, options.
 *
 * @module
 */

import {
  type Bytes,
  IPPROTO_TCP,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  type SocketAddress,
  SOL_SOCKET,
  SystemError,
  TCP_NODELAY,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { boundAddress, flag, lingerZero, peerAddress } from "./socket.ts";

/** A connected stream socket; {@linkcode Connection} reads and writes it. */
export abstract class StreamSocket implements Disposable {
  /** @internal */
  protected readonly event: FdEvent;
  #localAddress: SocketAddress | null = null;
  #remoteAddress: SocketAddress | null = null;

  /** @internal */
  constructor(event: FdEvent) {
    this.event = event;
  }

  /** Whether the connection is closed: `close` has run or is about to. */
  abstract get closed(): boolean;

  /** The socket's descriptor; -1 once the connection is closed. */
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
   * Sets TCP_NODELAY: whether small writes go out at once.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP, `EBADF` once
   * it is closed.
   */
  setNoDelay(enabled = true): void {
    this.#set("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, flag(enabled));
  }

  /**
   * Sets SO_KEEPALIVE: whether the kernel probes an idle peer.
   *
   * @throws {SystemError} `EBADF` once the connection is closed.
   */
  setKeepAlive(enabled = true): void {
    this.#set("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, flag(enabled));
  }

  /** Closes the socket at once. Closing again does nothing. */
  abstract close(): void;

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal Has close(2) send an RST. */
  protected resetOnClose(): void {
    const { calls } = this.event.parts;
    calls.setsockopt(this.event.fd, SOL_SOCKET, SO_LINGER, lingerZero());
  }

  /** @internal The socket's pending error, cleared by this; 0 for none. */
  protected takeError(): number {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const { calls } = this.event.parts;
    calls.getsockopt(this.event.fd, SOL_SOCKET, SO_ERROR, bytes);
    return value[0];
  }

  #set(option: string, level: number, name: number, value: Bytes): void {
    const { calls } = this.event.parts;
    const result = calls.setsockopt(this.fd, level, name, value);
    if (result < 0) {
      throw new SystemError(`setsockopt(${option})`, -result, {
        fd: this.event.fd,
      });
    }
  }
}
