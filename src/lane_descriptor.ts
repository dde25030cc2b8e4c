/**
 * A sender's descriptor of the receiver's eventfd, in a word that both sides
 * see. Whoever empties the word closes the descriptor: the sender, or the inbox
 * as it closes, whether the sender's thread is still there or not.
 *
 * While the sender writes, the word says so, and an inbox that closes leaves the
 * descriptor to it: its number must not become another file's before the write.
 * The inbox says that it is closed before it looks here, and the sender looks
 * for that after each use, so that one of the two closes it.
 *
 * @module
 */

import type { SystemCalls } from "../ffi/mod.ts";
import { NO_DESCRIPTOR } from "./lane.ts";

/** The word for a descriptor in use, below `NO_DESCRIPTOR`, and the descriptor for that word. */
function inUse(fd: number): number {
  return 2 * NO_DESCRIPTOR - fd;
}

/** The descriptor of one lane. All but `take` is for the lane's owner only. */
export class LaneDescriptor {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #lane: number;

  constructor(words: Int32Array<SharedArrayBuffer>, lane: number) {
    this.#words = words;
    this.#lane = lane;
  }

  /** Notes one that is not in use: a new one, or after `borrow`. */
  put(fd: number): void {
    Atomics.store(this.#words, this.#lane, fd);
  }

  /**
   * Keeps it open until it is `put` back. An owner that is gone may have been
   * using it. Returns `NO_DESCRIPTOR` if there is none.
   */
  borrow(): number {
    const word = Atomics.load(this.#words, this.#lane);
    if (word < NO_DESCRIPTOR) return inUse(word);
    return this.#replace(word, inUse(word)) ? word : NO_DESCRIPTOR;
  }

  /** Closes it, if there is one. */
  close(calls: Pick<SystemCalls, "close">): void {
    // First: whoever takes the lane next must not find a number that is not open.
    const word = Atomics.exchange(this.#words, this.#lane, NO_DESCRIPTOR);
    const fd = word < NO_DESCRIPTOR ? inUse(word) : word;
    if (fd !== NO_DESCRIPTOR) calls.close(fd);
  }

  /** For an inbox that is closed: what it is to close, or `NO_DESCRIPTOR`. */
  take(): number {
    const word = Atomics.load(this.#words, this.#lane);
    if (word <= NO_DESCRIPTOR) return NO_DESCRIPTOR;
    return this.#replace(word, NO_DESCRIPTOR) ? word : NO_DESCRIPTOR;
  }

  #replace(word: number, by: number): boolean {
    return Atomics.compareExchange(this.#words, this.#lane, word, by) === word;
  }
}
