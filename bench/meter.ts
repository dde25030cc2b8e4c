/** Counting pieces of work over a while, without asking for the time at each. */
import type { Durations } from "./workload.ts";

/** What a peer counted. */
export interface Count {
  works: number;
  seconds: number;
  /** The median over short intervals: what other programs do hardly shows in it. */
  medianUs: number;
}

/** Intervals that are kept, the last ones. */
const INTERVALS_MAX = 1 << 16;

/** Counts from the end of the warm-up on. */
export class Meter {
  /** Null until the time is up. */
  count: Count | null = null;
  readonly #durations: Durations;
  readonly #every: number;
  readonly #startMs: number = performance.now();
  #sinceLook = 0;
  #works = 0;
  #countedFromMs: number | null = null;
  #lookedMs = 0;
  #intervals = 0;
  readonly #intervalsMs: Float64Array = new Float64Array(INTERVALS_MAX);

  /** `every` is how many pieces of work go between two looks at the clock. */
  constructor(durations: Durations, every: number) {
    this.#durations = durations;
    this.#every = every;
  }

  /** One piece more. Whether to go on. */
  add(): boolean {
    return ++this.#sinceLook < this.#every || this.#look();
  }

  #look(): boolean {
    const nowMs = performance.now();
    const sinceLook = this.#sinceLook;
    this.#sinceLook = 0;
    if (this.#countedFromMs === null) {
      if (nowMs - this.#startMs >= this.#durations.warmupSeconds * 1000) {
        this.#countedFromMs = nowMs;
        this.#lookedMs = nowMs;
      }
      return true;
    }
    this.#works += sinceLook;
    this.#intervalsMs[this.#intervals++ % INTERVALS_MAX] = nowMs -
      this.#lookedMs;
    this.#lookedMs = nowMs;
    const seconds = (nowMs - this.#countedFromMs) / 1000;
    if (seconds < this.#durations.seconds) return true;
    const medianUs = this.#medianMs() / this.#every * 1000;
    this.count = { works: this.#works, seconds, medianUs };
    return false;
  }

  #medianMs(): number {
    const count = Math.min(this.#intervals, INTERVALS_MAX);
    return this.#intervalsMs.subarray(0, count).sort()[count >> 1];
  }
}
