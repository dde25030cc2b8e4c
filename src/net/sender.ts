/**
 * What a connection could not send at once: a queue, and the end after the last.
 *
 * @module
 */

import { type Bytes, EAGAIN, EINTR, SHUT_WR } from "../../ffi/mod.ts";
import { SystemError } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { queueWrite, writeAgain } from "../interest.ts";
import { type Piece, SendQueue } from "./send_queue.ts";

/** Bytes sent for one event before other descriptors have their turn. */
const BUDGET_BYTES = 1024 * 1024;

/** Something is left to send. */
export const MORE = 1;
/** Everything that was queued has been sent just now. */
export const DRAINED = 2;
/** There was nothing to send. */
export const IDLE = 3;

/** No write handler until there is something to send. */
export function muteWrites(event: FdEvent): void {
  if (event.rules.repeats) event.disableWrite();
  else event.blockWrite();
}

/** Sends what one connection could not at once. Failures are negative errnos. */
export class Sender {
  /** The socket's; another one when another address is tried. */
  event: FdEvent;
  /** The user will write no more. */
  ending = false;
  /** The sending side is shut down, after all writes. */
  ended = false;
  /** Bytes queued, files not counted. */
  length = 0;
  /** Whether the user is to be told once all is sent. */
  owesDrain = false;
  /** Changes whenever something queued is sent. */
  progress = 0;

  #queue: SendQueue | null = null;
  /** The write handler is wanted: something could not be sent at once. */
  #flushing = false;
  /** What is queued waits for the end of the round, and not for the kernel. */
  #merging = false;
  /** Whether there will be another queue soon. */
  #merges = false;

  constructor(event: FdEvent) {
    this.event = event;
  }

  /** Whether the write handler is wanted. */
  get flushing(): boolean {
    return this.#flushing;
  }

  /** Whether nothing is queued. */
  get empty(): boolean {
    return this.#queue === null || this.#queue.empty;
  }

  /** Has the write handler run in this round for what is queued from here on. */
  merge(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#merging = true;
    this.#merges = true;
    queueWrite(this.event);
  }

  /**
   * Queues copies of bytes from `offset` on, as far as `bufferMax` goes; `armed`
   * once the socket is connected. Returns the bytes taken.
   */
  queueBytes(
    bytes: Bytes,
    offset: number,
    bufferMax: number,
    armed: boolean,
  ): number {
    this.#wantFlush(armed);
    this.owesDrain = true;
    const count = Math.min(bytes.length - offset, bufferMax - this.length);
    if (count <= 0) return 0;
    this.#queue ??= new SendQueue();
    this.#queue.addBytes(bytes, offset, count);
    this.length += count;
    return count;
  }

  /** Queues the chunks but for the first `skipped` bytes of them all. */
  queueChunks(
    chunks: readonly Bytes[],
    skipped: number,
    bufferMax: number,
    armed: boolean,
  ): number {
    let taken = 0;
    let left = skipped;
    for (const chunk of chunks) {
      const offset = Math.min(left, chunk.length);
      left -= offset;
      if (offset === chunk.length) continue;
      const count = this.queueBytes(chunk, offset, bufferMax, armed);
      taken += count;
      if (offset + count < chunk.length) break;
    }
    return taken;
  }

  /**
   * Sends a piece after what is queued. What can't be sent now is left to the
   * write handler. Returns `MORE`, `DRAINED`, or the negative errno.
   */
  send(piece: Piece, armed: boolean): number {
    this.#queue ??= new SendQueue();
    const waits = !this.#queue.empty || !armed;
    this.#queue.add(piece);
    const left = waits ? MORE : this.#advance(this.#queue);
    if (left === MORE) {
      this.#wantFlush(armed);
      this.owesDrain ||= piece.owned;
    }
    return left;
  }

  /** Sends what is queued, within a budget. Returns what is left, or an errno. */
  flush(): number {
    if (this.#queue !== null) {
      const left = this.#advance(this.#queue);
      if (left === MORE && this.#merging) this.event.enableWrite();
      if (left !== DRAINED) {
        this.#merging = false;
        return left;
      }
    }
    if (!this.#flushing) return IDLE;
    if (!this.#merges) this.#queue = null;
    this.#flushing = false;
    this.#merging = false;
    muteWrites(this.event);
    return DRAINED;
  }

  /** What a negative errno of one of these methods was about. */
  failure(errno: number): SystemError {
    const piece = this.#queue?.first;
    const fd = this.event.fd;
    const { syscall = "send", address } = piece ?? {};
    return new SystemError(
      syscall,
      errno,
      address === undefined ? { fd } : { fd, address },
    );
  }

  /** Drops what is queued. */
  clear(): void {
    this.length = 0;
    this.#queue?.clear();
    this.#queue = null;
  }

  /** Shuts the sending side down. Returns 0 or the negative errno. */
  end(): number {
    if (this.ended) return 0;
    this.ended = true;
    return this.event.parts.calls.shutdown(this.event.fd, SHUT_WR);
  }

  #wantFlush(armed: boolean): void {
    if (armed && !this.#flushing) this.event.enableWrite();
    this.#flushing = true;
  }

  /** Sends from the queue. Returns `MORE`, `DRAINED`, or the negative errno. */
  #advance(queue: SendQueue): number {
    const { calls } = this.event.parts;
    let budget = BUDGET_BYTES;
    for (;;) {
      const piece = queue.first;
      if (piece === null) return DRAINED;
      if (budget <= 0) {
        // The kernel would not report the room that is still there.
        writeAgain(this.event);
        return MORE;
      }
      const count = piece.send(calls, this.event.fd, budget);
      if (count >= 0) {
        budget -= count;
        this.progress = (this.progress + count) | 0;
        if (piece.copied) this.length -= count;
        if (piece.sent) queue.shift();
      } else if (count === -EAGAIN) {
        this.event.writeReady = false;
        return MORE;
      } else if (count !== -EINTR) {
        return count;
      }
    }
  }
}
