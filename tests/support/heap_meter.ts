/** What each event costs in heap, once everything is warm. */
import { memoryUsage } from "node:process";

/** A young generation that holds a whole run, so that nothing is collected. */
export const HEAP_METER_FLAG =
  "--v8-flags=--min-semi-space-size=128,--max-semi-space-size=128";

/** Events of one window. */
const WINDOW = 50_000;
/**
 * The least of the windows counts: on a loaded machine V8 comes late to compile
 * what is hot, and what is not compiled allocates.
 */
const WINDOWS = 6;
/** The windows take so long at least, for the same reason. */
const TIME_MIN_MS = 1000;
/** What the start has left may be collected: such a window does not count. */
const COLLECTED_MAX = 2;

/**
 * Counts events, and prints the bytes of heap that each costs. To be run with
 * `HEAP_METER_FLAG`; fails if things are collected again and again.
 */
export class HeapMeter {
  readonly #beganMs = performance.now();
  #events = 0;
  #windows = 0;
  #collected = 0;
  #before = memoryUsage().heapUsed;
  #least = Infinity;

  /** Counts an event; true for the last. */
  count(): boolean {
    this.#events++;
    if (this.#events % WINDOW !== 0) return false;
    const bytes = memoryUsage().heapUsed - this.#before;
    this.#before += bytes;
    if (bytes >= 0) {
      this.#windows++;
      this.#least = Math.min(this.#least, bytes / WINDOW);
    } else if (++this.#collected > COLLECTED_MAX) {
      throw new Error("Cannot measure: what is allocated is collected");
    }
    const tookMs = performance.now() - this.#beganMs;
    if (this.#windows < WINDOWS || tookMs < TIME_MIN_MS) return false;
    console.log(this.#least);
    return true;
  }
}
