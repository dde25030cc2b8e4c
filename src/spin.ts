/**
 * How long a loop looks for events before it waits for them: a thread that waits
 * is woken some microseconds late, one that looks keeps its core busy.
 *
 * The rule is that of KVM's halt polling: what came soon after all makes it
 * longer, what did not makes it nothing.
 *
 * @module
 */

/** The first time that is tried, in microseconds. */
const FIRST_US = 10;

/** The time to look for, as the last waits have it. */
export class Spin {
  /** Milliseconds. */
  ms = 0;
  readonly #maxMs: number;

  constructor(maxUs: number) {
    this.#maxMs = maxUs / 1000;
  }

  /** Looking found nothing, and then a wait ended, so long after the first look. */
  waited(tookMs: number): void {
    this.ms = tookMs > this.#maxMs
      ? 0
      : Math.min(Math.max(2 * this.ms, FIRST_US / 1000), this.#maxMs);
  }
}
