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
  SystemError,
} from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueWrite, readAgain } from "../interest.ts";
import { streamRules } from "../trigger.ts";
import { CONNECT_QUEUE, WRITE_QUEUE } from "../work_queue.ts";
import { Closing } from "./closing.ts";
import type { ConnectionParts } from "./options.ts";
import { RECEIVE_BYTES } from "./receive_buffer.ts";
import { DRAINED, Sender } from "./sender.ts";
import { StreamSocket } from "./stream_socket.ts";

/** Bytes read for one event before other descriptors have their turn. */
const READ_BUDGET_BYTES = 4 * RECEIVE_BYTES;

// What a connection is: being established; established, or half closed; closed
// by the peer or by an error; closed by the user.
const CONNECTING = 0;
const OPEN = 1;
const LOST = 2;
const CLOSED = 3;

/**
 * A stream connection, made by {@linkcode Engine.listen} or
 * {@linkcode Engine.connect}.
 */
export class Connection extends StreamSocket {
  /** The user's own. */
  context: unknown = undefined;

  readonly #shared: ConnectionParts;
  readonly #sender: Sender;
  #state: number;
  /** The peer will send no more. */
  #readEnded = false;
  #paused = false;
  #peer = "";

  /** @internal */
  static readonly events: OwnHandlers = {
    read: (event) => (event.data as Connection).#readable(),
    write: (event) => (event.data as Connection).#writable(),
    error: (event, error) => (event.data as Connection).#hungUp(error),
    engineClosed: (event) => (event.data as Connection).close(),
  };

  /** @internal `fd` is a connected socket, or one that is to connect. */
  constructor(shared: ConnectionParts, fd: number, connecting: boolean) {
    const rules = streamRules(shared.parts.rules);
    const event = new FdEvent(fd, Connection.events, shared.parts, rules);
    super(event);
    shared.parts.registry.add(event);
    this.#shared = shared;
    this.#sender = new Sender(event);
    this.#state = connecting ? CONNECTING : OPEN;
    event.data = this;
    // A socket that is not connecting yet would report HUP at once.
    if (connecting) return;
    if (rules.repeats) event.enableRead();
    else {
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
   * Ends the sending side after what has been written, and after `bytes`, which
   * are buffered whole. The connection closes when the peer has ended, too.
   * Throws `EPIPE` as `write()` does.
   */
  end(bytes?: Bytes): void {
    this.#checkWritable("shutdown");
    if (bytes !== undefined && bytes.length > 0) this.#write(bytes, Infinity);
    this.#sender.ending = true;
    if (this.#state === OPEN && this.bufferedBytes === 0) this.#endWriting();
  }

  /** `end()` without bytes. */
  shutdown(): void {
    this.end();
  }

  /** Stops calling `data` and `end`, without a system call: the peer waits. */
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
   * Closes at once. What is still buffered is dropped; use `end()` to have it
   * sent. Closing again does nothing.
   */
  override close(): void {
    this.#destroy(CLOSED, null);
  }

  /** Closes with an RST (SO_LINGER of 0), so that no TIME_WAIT stays behind. */
  reset(): void {
    if (this.closed) return;
    this.resetOnClose();
    this.close();
  }

  /**
   * Takes the descriptor away, open and nonblocking: it belongs to the caller
   * from here on, who may give it to {@linkcode Engine.adopt} of an engine in
   * any worker of the process. No handler is called any more, `close` included.
   * Throws if bytes are buffered, or the connection is not established.
   */
  detach(): number {
    if (this.#state !== OPEN || this.bufferedBytes > 0) {
      const state = this.#state === OPEN ? "" : ", and is not open";
      throw new Error(
        `Cannot detach descriptor ${this.event.fd}: it has ${this.bufferedBytes} bytes buffered${state}`,
      );
    }
    this.#state = CLOSED;
    this.event.detach();
    this.#shared.closed?.();
    return this.event.fd;
  }

  /** @internal connect(2) was called: the rest is told by the write handler. */
  awaitConnected(peer: string): void {
    this.#peer = peer;
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
    const event = this.event;
    let left = READ_BUDGET_BYTES;
    let drained = false;
    try {
      while (left > 0 && !drained && this.#reads()) {
        const count = parts.calls.recv(event.fd, parts.receive.bytes, 0);
        if (count > 0) {
          left -= count;
          drained = count < RECEIVE_BYTES && this.#isDrained();
          if (drained) event.readReady = false;
          handlers.data?.(this, parts.receive.view(count));
        } else if (count === 0) {
          this.#endReading();
        } else if (count === -EAGAIN) {
          event.readReady = false;
          drained = true;
        } else if (count !== -EINTR) {
          this.#fail("recv", -count);
        }
      }
    } finally {
      // In edge mode the kernel does not report again what the budget, or a
      // handler that threw, has left.
      if (!drained && this.#reads()) readAgain(event);
    }
  }

  #reads(): boolean {
    return this.#state === OPEN && !this.#paused && !this.#readEnded;
  }

  /**
   * Whether a read that filled less than the buffer has taken all. Not so after
   * an RDHUP, as the end of file is still to come; nor where a read stops early:
   * at TCP's urgent data, and at a unix socket's message with descriptors.
   */
  #isDrained(): boolean {
    const event = this.event;
    return !event.eof && !event.urgent && this.#shared.readsWhole;
  }

  #endReading(): void {
    const { handlers } = this.#shared;
    this.#readEnded = true;
    this.event.blockRead();
    try {
      handlers.end?.(this);
    } finally {
      const flushed = handlers.end === undefined && this.bufferedBytes === 0;
      if (flushed || this.#sender.ended) this.#destroy(LOST, null);
    }
  }

  #write(bytes: Bytes, bufferMax: number): number {
    this.#checkWritable("send");
    if (this.#state === LOST || this.#closesSoon()) return 0;
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
    if (this.#closesSoon()) this.#destroy(LOST, null);
    else if (this.#sender.ending) this.#endWriting();
    else this.#shared.handlers.drain?.(this);
  }

  /** The peer has ended, the user does not care: only what is buffered is left. */
  #closesSoon(): boolean {
    return this.#readEnded && this.#shared.handlers.end === undefined;
  }

  #endWriting(): void {
    const result = this.#sender.end();
    if (result < 0) this.#fail("shutdown", -result);
    else if (this.#readEnded) this.#destroy(LOST, null);
  }

  #finishConnecting(): void {
    // Only ERR or HUP beside OUT means that connecting can have failed.
    const errno = this.event.troubled ? this.takeError() : 0;
    if (errno !== 0) return this.#fail("connect", errno);
    this.#state = OPEN;
    this.event.writeQueue = WRITE_QUEUE;
    if (this.#sender.flushing) queueWrite(this.event);
    else this.#sender.quiet();
    if (!this.#paused) this.event.enableRead();
    try {
      this.#shared.handlers.open?.(this);
    } finally {
      const ends = this.#sender.ending && !this.#sender.flushing;
      if (ends && !this.closed) this.#endWriting();
    }
  }

  /** ERR or HUP without anything to read or write, or a failed change. */
  #hungUp(error: SystemError | null): void {
    if (error !== null) return this.#destroy(LOST, error);
    const errno = this.takeError();
    if (errno === 0) return this.#destroy(LOST, null);
    this.#fail(this.#state === CONNECTING ? "connect" : "recv", errno);
  }

  #checkWritable(syscall: string): void {
    if (this.#sender.ending || this.#state === CLOSED) {
      throw new SystemError(syscall, EPIPE, { fd: this.event.fd });
    }
  }

  #fail(syscall: string, errno: number): void {
    const fd = this.event.fd;
    const about = syscall === "connect" ? { fd, address: this.#peer } : { fd };
    this.#destroy(LOST, new SystemError(syscall, errno, about));
  }

  #destroy(state: number, error: SystemError | null): void {
    if (this.closed) return;
    this.#state = state;
    this.event.close();
    this.#sender.clear();
    new Closing(this, this.#shared, error);
  }
}
