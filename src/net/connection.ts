/**
 * One stream socket: reads within a budget, writes with a bounded buffer, half
 * close, and the order of callbacks.
 *
 * @module
 */

import {
  type Bytes,
  EAGAIN,
  EINTR,
  EPIPE,
  IPPROTO_TCP,
  SHUT_WR,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  type SocketAddress,
  SOL_SOCKET,
  SystemError,
  TCP_NODELAY,
} from "../../ffi/mod.ts";
import type { FdEvent, OwnHandlers } from "../fd_event.ts";
import type { EngineParts } from "../parts.ts";
import {
  CLOSE_QUEUE,
  CONNECT_QUEUE,
  TASK_WORK,
  WRITE_QUEUE,
} from "../work_queue.ts";
import type { ConnectionHandlers } from "./options.ts";
import { RECEIVE_BYTES } from "./receive_buffer.ts";
import { sendAll, SendQueue } from "./send_queue.ts";
import { boundAddress, flag, lingerZero, peerAddress } from "./socket.ts";

/** Bytes read for one event before other descriptors have their turn. */
const READ_BUDGET_BYTES = 4 * RECEIVE_BYTES;
/** Bytes of the buffer written for one event, likewise. */
const WRITE_BUDGET_BYTES = 1024 * 1024;

/** A connection is being established. */
const CONNECTING = 0;
/** A connection is established, or half closed. */
const OPEN = 1;
/** A connection was closed by the peer or by an error. */
const LOST = 2;
/** A connection was closed by the user. */
const CLOSED = 3;

/** What a connection is made of. */
export interface ConnectionParts {
  readonly parts: EngineParts;
  readonly handlers: ConnectionHandlers;
  /** Bytes buffered for a slow reader. */
  readonly bufferMax: number;
  /** Told when a connection has closed. */
  closed?(): void;
}

/**
 * A stream connection, made by {@linkcode Engine.listen} or
 * {@linkcode Engine.connect}.
 */
export class Connection implements Disposable {
  /** The user's own. */
  context: unknown = undefined;

  readonly #event: FdEvent;
  readonly #shared: ConnectionParts;
  #state: number;
  #sends: SendQueue | null = null;
  /** The write handler is active: there is something to write. */
  #flushing = false;
  /** The user will write no more. */
  #ending = false;
  /** The sending side is shut down, after all writes. */
  #writeEnded = false;
  /** The peer will send no more. */
  #readEnded = false;
  #paused = false;
  #localAddress: SocketAddress | null = null;
  #remoteAddress: SocketAddress | null = null;

  /** @internal */
  static readonly events: OwnHandlers = {
    read: (event) => (event.data as Connection).#readable(),
    write: (event) => (event.data as Connection).#writable(),
    error: (event, error) => (event.data as Connection).#hungUp(error),
    engineClosed: (event) => (event.data as Connection).close(),
  };

  /** @internal `event` is of a connected socket, or one that is to connect. */
  constructor(shared: ConnectionParts, event: FdEvent, connecting: boolean) {
    this.#shared = shared;
    this.#event = event;
    this.#state = connecting ? CONNECTING : OPEN;
    event.data = this;
    // A socket that is not connecting yet would report HUP at once.
    if (connecting) return;
    if (shared.parts.rules.repeats) {
      event.enableRead();
    } else {
      // Both directions at once: one epoll_ctl for the connection's life.
      event.enable();
      event.blockWrite();
    }
  }

  /** The socket's descriptor; -1 once the connection is closed. */
  get fd(): number {
    return this.closed ? -1 : this.#event.fd;
  }

  /** The local address; null if it was never asked for before closing. */
  get localAddress(): SocketAddress | null {
    if (this.#localAddress === null && !this.closed) {
      this.#localAddress = boundAddress(this.#shared.parts.calls, this.fd);
    }
    return this.#localAddress;
  }

  /** The peer's address; null if it was never asked for before it was gone. */
  get remoteAddress(): SocketAddress | null {
    if (this.#remoteAddress === null && !this.closed) {
      this.#remoteAddress = peerAddress(this.#shared.parts.calls, this.fd);
    }
    return this.#remoteAddress;
  }

  /** Bytes accepted from the user that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#sends === null ? 0 : this.#sends.length;
  }

  /** Whether the connection is closed: `close` has run or is about to. */
  get closed(): boolean {
    return this.#state >= LOST;
  }

  /**
   * Sends bytes, and buffers a copy of what the kernel does not take, up to
   * `bufferMax`.
   *
   * @returns The bytes accepted. If fewer than offered, offer the rest at
   * `drain`. 0 once the connection was closed by the peer or by an error.
   * @throws {SystemError} `EPIPE` after `end()`, `shutdown()` or `close()`.
   */
  write(bytes: Bytes): number {
    return this.#write(bytes, this.#shared.bufferMax);
  }

  /**
   * Ends the sending side after what has been written, and after `bytes` if
   * given, which are buffered whole. The peer may go on sending; the connection
   * closes when both sides have ended.
   *
   * @throws {SystemError} `EPIPE` after `end()`, `shutdown()` or `close()`.
   */
  end(bytes?: Bytes): void {
    this.#checkWritable("shutdown");
    if (bytes !== undefined && bytes.length > 0) this.#write(bytes, Infinity);
    this.#ending = true;
    if (this.#state === OPEN && this.bufferedBytes === 0) this.#endWriting();
  }

  /** Ends the sending side after what has been written; `end()` without bytes. */
  shutdown(): void {
    this.end();
  }

  /**
   * Stops calling `data` and `end`, without a system call. What arrives stays
   * in the kernel, and TCP makes the peer wait.
   */
  pause(): void {
    if (this.closed || this.#paused) return;
    this.#paused = true;
    if (this.#state === OPEN) this.#event.blockRead();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (this.closed || !this.#paused) return;
    this.#paused = false;
    if (this.#state === OPEN && !this.#readEnded) this.#event.enableRead();
  }

  /**
   * Sets TCP_NODELAY: whether small writes go out at once.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP.
   */
  setNoDelay(enabled = true): void {
    this.#setOption("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, enabled);
  }

  /**
   * Sets SO_KEEPALIVE: whether the kernel probes an idle peer.
   *
   * @throws {SystemError} `EBADF` once the connection is closed.
   */
  setKeepAlive(enabled = true): void {
    this.#setOption("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, enabled);
  }

  /**
   * Closes the connection at once. What is still buffered is dropped; use
   * `end()` to have it sent. Closing again does nothing.
   */
  close(): void {
    this.#destroy(CLOSED, null);
  }

  /** Closes with an RST (SO_LINGER of 0), so that no TIME_WAIT stays behind. */
  reset(): void {
    if (this.closed) return;
    const calls = this.#shared.parts.calls;
    calls.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, lingerZero());
    this.close();
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal connect(2) was called: the rest is told by the write handler. */
  awaitConnected(): void {
    this.#event.writeQueue = CONNECT_QUEUE;
    this.#event.enable();
    this.#event.blockRead();
  }

  /** @internal connect(2) failed. */
  connectFailed(error: SystemError): void {
    this.#destroy(LOST, error);
  }

  #readable(): void {
    const { parts, handlers } = this.#shared;
    let left = READ_BUDGET_BYTES;
    while (left > 0) {
      if (this.closed || this.#paused || this.#readEnded) return;
      const count = parts.calls.recv(this.#event.fd, parts.receive.bytes, 0);
      if (count > 0) {
        left -= count;
        // A stream that gave less than there was room for is drained; after an
        // RDHUP the end of file is still to come.
        const drained = count < RECEIVE_BYTES && !this.#event.eof;
        if (drained) this.#event.readReady = false;
        handlers.data?.(this, parts.receive.view(count));
        if (drained) return;
      } else if (count === 0) {
        this.#endReading();
      } else if (count === -EAGAIN) {
        this.#event.readReady = false;
        return;
      } else if (count !== -EINTR) {
        this.#fail("recv", -count);
      }
    }
    // In edge mode the kernel will not report the rest again.
    if (!this.closed && !this.#paused) this.#event.queueRead();
  }

  #endReading(): void {
    this.#readEnded = true;
    this.#event.blockRead();
    if (this.#shared.handlers.end !== undefined) {
      this.#shared.handlers.end(this);
      if (this.#writeEnded) this.#destroy(LOST, null);
    } else if (this.bufferedBytes === 0) this.#destroy(LOST, null);
    else this.#ending = true;
  }

  #write(bytes: Bytes, bufferMax: number): number {
    this.#checkWritable("send");
    if (this.#state === LOST) return 0;
    let sent = 0;
    if (this.#state === OPEN && this.bufferedBytes === 0) {
      sent = sendAll(this.#event, bytes);
      if (sent === bytes.length) return sent;
      if (sent < 0) {
        this.#fail("send", -sent);
        return 0;
      }
    }
    this.#sends ??= new SendQueue();
    const buffered = this.#sends.push(bytes, sent, bufferMax);
    this.#flushLater();
    return sent + buffered;
  }

  #writable(): void {
    if (this.#state === CONNECTING) return this.#finishConnecting();
    if (this.#sends !== null && this.#sends.length > 0) {
      const sent = this.#sends.flush(this.#event, WRITE_BUDGET_BYTES);
      if (sent < 0) return this.#fail("send", -sent);
      if (this.#sends.length > 0) {
        // The budget is spent, and the kernel would not report again.
        if (this.#event.writeReady) this.#event.queueWrite();
        return;
      }
    }
    if (!this.#flushing) return;
    this.#flushed();
    if (this.#ending) this.#endWriting();
    else this.#shared.handlers.drain?.(this);
  }

  #endWriting(): void {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    const calls = this.#shared.parts.calls;
    const result = calls.shutdown(this.#event.fd, SHUT_WR);
    if (result < 0) this.#fail("shutdown", -result);
    else if (this.#readEnded) this.#destroy(LOST, null);
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    if (this.#state === OPEN) this.#event.enableWrite();
  }

  #flushed(): void {
    this.#flushing = false;
    if (this.#shared.parts.rules.repeats) this.#event.disableWrite();
    else this.#event.blockWrite();
  }

  #finishConnecting(): void {
    // Only ERR or HUP beside OUT means that connecting can have failed.
    const errno = this.#event.troubled ? this.#takeError() : 0;
    if (errno !== 0) return this.#fail("connect", errno);
    this.#state = OPEN;
    this.#event.writeQueue = WRITE_QUEUE;
    if (this.#flushing) this.#event.queueWrite();
    else this.#flushed();
    if (!this.#paused) this.#event.enableRead();
    this.#shared.handlers.open?.(this);
    if (this.#ending && !this.#flushing && !this.closed) this.#endWriting();
  }

  /** ERR or HUP without anything to read or write, or a failed change. */
  #hungUp(error: SystemError | null): void {
    if (error !== null) return this.#destroy(LOST, error);
    const errno = this.#takeError();
    if (errno === 0) return this.#destroy(LOST, null);
    this.#fail(this.#state === CONNECTING ? "connect" : "recv", errno);
  }

  #takeError(): number {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const { calls } = this.#shared.parts;
    calls.getsockopt(this.#event.fd, SOL_SOCKET, SO_ERROR, bytes);
    return value[0];
  }

  #setOption(about: string, level: number, name: number, on: boolean): void {
    const calls = this.#shared.parts.calls;
    const result = calls.setsockopt(this.fd, level, name, flag(on));
    if (result < 0) {
      throw new SystemError(`setsockopt(${about})`, -result, {
        fd: this.#event.fd,
      });
    }
  }

  #checkWritable(syscall: string): void {
    if (this.#ending || this.#state === CLOSED) {
      throw new SystemError(syscall, EPIPE, { fd: this.#event.fd });
    }
  }

  #fail(syscall: string, errno: number): void {
    const about = { fd: this.#event.fd };
    this.#destroy(LOST, new SystemError(syscall, errno, about));
  }

  #destroy(state: number, error: SystemError | null): void {
    if (this.closed) return;
    const { parts, handlers } = this.#shared;
    this.#state = state;
    this.#sends = null;
    this.#event.close();
    const last = () => {
      handlers.close?.(this);
      return 1;
    };
    parts.queues.push(CLOSE_QUEUE, { source: this, run: last }, TASK_WORK);
    parts.touched();
    this.#shared.closed?.();
    if (error !== null) handlers.error?.(this, error);
  }
}
