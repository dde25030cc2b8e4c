/**
 * The sending side of a connection: straight to the kernel while it takes all,
 * from a bounded queue of copies once it does not, and the end after the last.
 *
 * @module
 */

import {
  type Bytes,
  EAGAIN,
  EINTR,
  MSG_NOSIGNAL,
  SHUT_WR,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { writeAgain } from "../interest.ts";
import { SendBuffer } from "./send_buffer.ts";

/** Bytes sent for one event before other descriptors have their turn. */
const BUDGET_BYTES = 1024 * 1024;

/** What `flush()` has left to do. */
export const MORE = 1;
/** Everything that was queued has been sent just now. */
export const DRAINED = 2;
/** There was nothing to send. */
export const IDLE = 3;

/** Sends for one connection. Failures are negative errnos. */
export class Sender {
  /** The user will write no more. */
  ending = false;
  /** The sending side is shut down, after all writes. */
  ended = false;
  /** Bytes queued. */
  length = 0;

  readonly #event: FdEvent;
  #buffer: SendBuffer | null = null;
  /** The write handler is wanted: something could not be sent at once. */
  #flushing = false;

  constructor(event: FdEvent) {
    this.#event = event;
  }

  /** Whether the write handler is wanted. */
  get flushing(): boolean {
    return this.#flushing;
  }

  /**
   * Sends bytes, or queues copies of what can't be sent at once, as far as
   * `bufferMax` goes. Returns the bytes taken.
   */
  write(bytes: Bytes, bufferMax: number): number {
    let sent = 0;
    if (this.length === 0) {
      sent = this.#send(bytes);
      if (sent === bytes.length || sent < 0) return sent;
    }
    return sent + this.queue(bytes, sent, bufferMax, true);
  }

  /** Queues bytes from `offset` on; `armed` once the socket is connected. */
  queue(
    bytes: Bytes,
    offset: number,
    bufferMax: number,
    armed: boolean,
  ): number {
    if (armed && !this.#flushing) this.#event.enableWrite();
    this.#flushing = true;
    const count = Math.min(bytes.length - offset, bufferMax - this.length);
    if (count <= 0) return 0;
    this.#buffer ??= new SendBuffer();
    this.#buffer.push(bytes, offset, count);
    this.length += count;
    return count;
  }

  /** Sends what is queued, within a budget. Returns what is left, or an errno. */
  flush(): number {
    let left = BUDGET_BYTES;
    while (this.length > 0) {
      if (left <= 0) {
        // The kernel would not report the room that is still there.
        writeAgain(this.#event);
        return MORE;
      }
      const buffer = this.#buffer as SendBuffer;
      const first = buffer.first();
      const sent = this.#send(first);
      if (sent < 0) return sent;
      left -= sent;
      this.length -= sent;
      buffer.drop(sent);
      if (sent < first.length) return MORE;
    }
    if (!this.#flushing) return IDLE;
    this.#buffer = null;
    this.quiet();
    return DRAINED;
  }

  /** No write handler until there is something to send. */
  quiet(): void {
    this.#flushing = false;
    if (this.#event.rules.repeats) this.#event.disableWrite();
    else this.#event.blockWrite();
  }

  /** Drops what is queued. */
  clear(): void {
    this.length = 0;
    this.#buffer = null;
  }

  /** Shuts the sending side down. Returns 0 or the negative errno. */
  end(): number {
    if (this.ended) return 0;
    this.ended = true;
    return this.#event.parts.calls.shutdown(this.#event.fd, SHUT_WR);
  }

  /**
   * Sends until all is sent or it would block: the kernel reports room again
   * only to those who have met EAGAIN. Returns the bytes sent.
   */
  #send(bytes: Bytes): number {
    const { calls } = this.#event.parts;
    let sent = 0;
    while (sent < bytes.length) {
      const count = calls.send(
        this.#event.fd,
        sent === 0 ? bytes : bytes.subarray(sent),
        MSG_NOSIGNAL,
      );
      if (count >= 0) {
        sent += count;
      } else if (count === -EAGAIN) {
        this.#event.writeReady = false;
        return sent;
      } else if (count !== -EINTR) {
        return count;
      }
    }
    return sent;
  }
}
