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
  SO_ERROR,
  SO_LINGER,
  SOL_SOCKET,
  SystemError,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueRead, queueWrite } from "../interest.ts";
import {
  CLOSE_QUEUE,
  CONNECT_QUEUE,
  TASK_WORK,
  WRITE_QUEUE,
} from "../work_queue.ts";
import type { ConnectionParts } from "./options.ts";
import { RECEIVE_BYTES } from "./receive_buffer.ts";
import { DRAINED, Sender } from "./sender.ts";
import { lingerZero } from "./socket.ts";
import { StreamSocket } from "./stream_socket.ts";

/** Bytes read for one event before other descriptors have their turn. */
const READ_BUDGET_BYTES = 4 * RECEIVE_BYTES;

/** A connection is being established. */
const CONNECTING = 0;
/** A connection is established, or half closed. */
const OPEN = 1;
/** A connection was closed by the peer or by an error. */
const LOST = 2;
/** A connection was closed by the user. */
const CLOSED = 3;

/**
 * A stream connection, made by {@linkcode Engine.listen} or
 * {@linkcode Engine.connect}.
 */
export class Connection extends StreamSocket implements Disposable {
  /** The user's own. */
  context: unknown = undefined;

  readonly #shared: ConnectionParts;
  readonly #sender: Sender;
  #state: number;
  /** The peer will send no more. */
  #readEnded = false;
  #paused = false;

  /** @internal */
  static readonly events: OwnHandlers = {
    read: (event) => (event.data as Connection).#readable(),
    write: (event) => (event.data as Connection).#writable(),
    error: (event, error) => (event.data as Connection).#hungUp(error),
    engineClosed: (event) => (event.data as Connection).close(),
  };

  /** @internal `event` is of a connected socket, or one that is to connect. */
  constructor(shared: ConnectionParts, event: FdEvent, connecting: boolean) {
    super(event);
    this.#shared = shared;
    this.#sender = new Sender(event);
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

  /** Bytes accepted from the user that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#sender.length;
  }

  /** Whether the connection is closed: `close` has run or is about to. */
  override get closed(): boolean {
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
    this.#sender.ending = true;
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
    if (this.#state === OPEN) this.event.blockRead();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (this.closed || !this.#paused) return;
    this.#paused = false;
    if (this.#state === OPEN && !this.#readEnded) this.event.enableRead();
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

  /**
   * Takes the descriptor away, open and nonblocking: it belongs to the caller
   * from here on, who may give it to {@linkcode Engine.adopt} of an engine in
   * any worker of the process. No handler is called any more, `close` included.
   *
   * @throws {Error} If bytes are buffered, or the connection is not established.
   */
  detach(): number {
    if (this.#state !== OPEN || this.bufferedBytes > 0) {
      throw new Error(
        `Cannot detach descriptor ${this.event.fd}: it has ${this.bufferedBytes} bytes buffered and is ${
          this.#state === OPEN ? "open" : "not open"
        }`,
      );
    }
    this.#state = CLOSED;
    this.event.detach();
    this.#shared.closed?.();
    return this.event.fd;
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal connect(2) was called: the rest is told by the write handler. */
  awaitConnected(): void {
    this.event.writeQueue = CONNECT_QUEUE;
    this.event.enable();
    this.event.blockRead();
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
      const count = parts.calls.recv(this.event.fd, parts.receive.bytes, 0);
      if (count > 0) {
        left -= count;
        // A stream that gave less than there was room for is drained; after an
        // RDHUP the end of file is still to come.
        const drained = count < RECEIVE_BYTES && !this.event.eof;
        if (drained) this.event.readReady = false;
        handlers.data?.(this, parts.receive.view(count));
        if (drained) return;
      } else if (count === 0) {
        this.#endReading();
      } else if (count === -EAGAIN) {
        this.event.readReady = false;
        return;
      } else if (count !== -EINTR) {
        this.#fail("recv", -count);
      }
    }
    // In edge mode the kernel will not report the rest again.
    if (!this.closed && !this.#paused) queueRead(this.event);
  }

  #endReading(): void {
    this.#readEnded = true;
    this.event.blockRead();
    if (this.#shared.handlers.end !== undefined) {
      this.#shared.handlers.end(this);
      if (this.#sender.ended) this.#destroy(LOST, null);
    } else if (this.bufferedBytes === 0) this.#destroy(LOST, null);
    else this.#sender.ending = true;
  }

  #write(bytes: Bytes, bufferMax: number): number {
    this.#checkWritable("send");
    if (this.#state === LOST) return 0;
    if (this.#state === CONNECTING) {
      return this.#sender.queue(bytes, 0, bufferMax, false);
    }
    const taken = this.#sender.write(bytes, bufferMax);
    if (taken >= 0) return taken;
    this.#fail("send", -taken);
    return 0;
  }

  #writable(): void {
    if (this.#state === CONNECTING) return this.#finishConnecting();
    const left = this.#sender.flush();
    if (left < 0) return this.#fail("send", -left);
    if (left !== DRAINED) return;
    if (this.#sender.ending) this.#endWriting();
    else this.#shared.handlers.drain?.(this);
  }

  #endWriting(): void {
    const result = this.#sender.end();
    if (result < 0) this.#fail("shutdown", -result);
    else if (this.#readEnded) this.#destroy(LOST, null);
  }

  #finishConnecting(): void {
    // Only ERR or HUP beside OUT means that connecting can have failed.
    const errno = this.event.troubled ? this.#takeError() : 0;
    if (errno !== 0) return this.#fail("connect", errno);
    this.#state = OPEN;
    this.event.writeQueue = WRITE_QUEUE;
    if (this.#sender.flushing) queueWrite(this.event);
    else this.#sender.quiet();
    if (!this.#paused) this.event.enableRead();
    this.#shared.handlers.open?.(this);
    if (this.closed || this.#sender.flushing) return;
    if (this.#sender.ending) this.#endWriting();
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
    calls.getsockopt(this.event.fd, SOL_SOCKET, SO_ERROR, bytes);
    return value[0];
  }

  #checkWritable(syscall: string): void {
    if (this.#sender.ending || this.#state === CLOSED) {
      throw new SystemError(syscall, EPIPE, { fd: this.event.fd });
    }
  }

  #fail(syscall: string, errno: number): void {
    const about = { fd: this.event.fd };
    this.#destroy(LOST, new SystemError(syscall, errno, about));
  }

  #destroy(state: number, error: SystemError | null): void {
    if (this.closed) return;
    const { parts, handlers } = this.#shared;
    this.#state = state;
    this.event.close();
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
