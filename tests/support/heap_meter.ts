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

/**
 * Counts events, and prints the bytes of heap that each costs. To be run with
 * `HEAP_METER_FLAG`; fails if something was collected in between.
 */
export class HeapMeter {
  #events = 0;
  #before = memoryUsage().heapUsed;
  #least = Infinity;

  /** Counts an event; true for the last. */
  count(): boolean {
    this.#events++;
    if (this.#events % WINDOW !== 0) return false;
    const after = memoryUsage().heapUsed;
    if (after < this.#before) {
      throw new Error("Cannot measure: something was collected");
    }
    this.#least = Math.min(this.#least, (after - this.#before) / WINDOW);
    this.#before = after;
    if (this.#events < WINDOW * WINDOWS) return false;
    console.log(this.#least);
    return true;
  }
}
