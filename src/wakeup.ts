/**
 * Waking a receiver that may be asleep, with a system call only when it may be.
 *
 * One word says whether the receiver is awake (0), closed, or asleep, and then
 * which of its sleeps this is. Both sides first write and then look:
 *
 * - the sender publishes, then looks at the word; if that says asleep, it writes
 *   the eventfd and then sets the word to awake, so that others need not write;
 * - the receiver says asleep, then looks at what is published, and waits only if
 *   that is nothing.
 *
 * So one of the two sees the other. The eventfd is written before the word
 * changes: a sender that stops for good in between costs the next sender a write
 * and loses nothing. And the word changes only if it still names the same sleep:
 * a sender that comes late would otherwise declare the next sleep over, for
 * which nobody has written.
 *
 * A sender that stops between publishing and writing leaves its message to the
 * next wake-up, its successor's at the latest.
 *
 * @module
 */

import { EAGAIN, SystemError } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { NO_DESCRIPTOR } from "./lane.ts";
import type { LaneDescriptor } from "./lane_descriptor.ts";

/** The receiver is at work, and looks at the lanes before it waits. */
const AWAKE = 0;
/** The receiver is gone for good. */
const CLOSED = -1;
/** Sleeps are counted from 1 to here and over again. */
const SLEEPS_MAX = 0x7fffffff;

/** What an eventfd takes: the number 1 in the machine's order. */
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);

/** Adds 1 to an eventfd, so that whoever waits for it wakes up. */
export function writeEventfd(calls: SystemCalls, fd: number): void {
  for (;;) {
    const result = calls.write(fd, ONE);
    if (result >= 0) return;
    if (result !== -EAGAIN) throw new SystemError("write", -result, { fd });
    // The counter is at its limit, where a write wakes nobody.
    clearEventfd(calls, fd);
  }
}

/** Sets the counter of an eventfd to 0. */
export function clearEventfd(calls: SystemCalls, fd: number): void {
  calls.read(fd, new Uint8Array(8));
}

/** The receiver's side. */
export class Sleeper {
  readonly #word: Int32Array<SharedArrayBuffer>;
  /** How often it slept, as of the last time that this started over. */
  sleeps: number;

  /** `word` has one element. `sleeps` lets tests start close to where it wraps. */
  constructor(word: Int32Array<SharedArrayBuffer>, sleeps = 0) {
    this.#word = word;
    this.sleeps = sleeps;
  }

  /** From here on senders wake the receiver. Look at what is published after it. */
  sleep(): void {
    this.sleeps = this.sleeps === SLEEPS_MAX ? 1 : this.sleeps + 1;
    Atomics.store(this.#word, 0, this.sleeps);
  }

  /** The receiver is at work: no sender needs to wake it. */
  wake(): void {
    Atomics.store(this.#word, 0, AWAKE);
  }

  /** Nobody needs to wake the receiver any more, nor post to it. */
  close(): void {
    Atomics.store(this.#word, 0, CLOSED);
  }
}

/** A sender's side, with its own descriptor of the receiver's eventfd. */
export class Waker {
  readonly #word: Int32Array<SharedArrayBuffer>;
  readonly #calls: SystemCalls;
  readonly #descriptor: LaneDescriptor;

  constructor(
    word: Int32Array<SharedArrayBuffer>,
    calls: SystemCalls,
    descriptor: LaneDescriptor,
  ) {
    this.#word = word;
    this.#calls = calls;
    this.#descriptor = descriptor;
  }

  /** Whether the receiver is gone. */
  isClosed(): boolean {
    return Atomics.load(this.#word, 0) === CLOSED;
  }

  /**
   * Wakes the receiver if it may be asleep, for what was published before.
   * Returns false if it is gone.
   */
  wake(): boolean {
    const state = Atomics.load(this.#word, 0);
    if (state === AWAKE) return true;
    if (state === CLOSED) return false;
    const fd = this.#descriptor.borrow();
    // The receiver takes it only once it has said that it is gone.
    if (fd === NO_DESCRIPTOR) return false;
    writeEventfd(this.#calls, fd);
    this.#descriptor.put(fd);
    const now = Atomics.compareExchange(this.#word, 0, state, AWAKE);
    if (now !== CLOSED) return true;
    // It may have been left to this thread, which was using it.
    this.#descriptor.close(this.#calls);
    return false;
  }
}
