/**
 * Times in the order in which they came, in a ring that doubles when it is full.
 *
 * @module
 */

/** Stands beside a work queue, and says when each of its items was queued. */
export class TimeQueue {
  #times = new Float64Array(64);
  #head = 0;
  #length = 0;

  push(timeMs: number): void {
    if (this.#length === this.#times.length) this.#grow();
    const tail = (this.#head + this.#length) & (this.#times.length - 1);
    this.#times[tail] = timeMs;
    this.#length++;
  }

  /** Takes the first; there must be one. */
  shift(): number {
    const timeMs = this.#times[this.#head];
    this.#head = (this.#head + 1) & (this.#times.length - 1);
    this.#length--;
    return timeMs;
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#times.length);
    times.set(this.#times.subarray(this.#head));
    const wrapped = this.#times.length - this.#head;
    times.set(this.#times.subarray(0, this.#head), wrapped);
    this.#times = times;
    this.#head = 0;
  }
}
