/** Counting messages over a while, without asking for the time at each. */

/** What a peer counted. */
export interface Count {
  messages: number;
  seconds: number;
  /** The median over short intervals: what other programs do hardly shows in it. */
  medianUs: number;
}

/** How long a peer warms up and counts. */
export interface Times {
  warmupSeconds: number;
  seconds: number;
}

/** Intervals that are kept, the last ones. */
const INTERVALS_MAX = 1 << 16;

/** Counts from the end of the warm-up on. */
export class Meter {
  /** Null until the time is up. */
  count: Count | null = null;
  readonly #times: Times;
  readonly #every: number;
  readonly #startMs: number = performance.now();
  #sinceLook = 0;
  #messages = 0;
  #countedFromMs: number | null = null;
  #lookedMs = 0;
  #intervals = 0;
  readonly #intervalsMs: Float64Array = new Float64Array(INTERVALS_MAX);

  /** `every` is how many messages go between two looks at the clock. */
  constructor(times: Times, every: number) {
    this.#times = times;
    this.#every = every;
  }

  /** One message more. Whether to go on. */
  add(): boolean {
    return ++this.#sinceLook < this.#every || this.#look();
  }

  #look(): boolean {
    const nowMs = performance.now();
    const sinceLook = this.#sinceLook;
    this.#sinceLook = 0;
    if (this.#countedFromMs === null) {
      if (nowMs - this.#startMs >= this.#times.warmupSeconds * 1000) {
        this.#countedFromMs = nowMs;
        this.#lookedMs = nowMs;
      }
      return true;
    }
    this.#messages += sinceLook;
    this.#intervalsMs[this.#intervals++ % INTERVALS_MAX] = nowMs -
      this.#lookedMs;
    this.#lookedMs = nowMs;
    const seconds = (nowMs - this.#countedFromMs) / 1000;
    if (seconds < this.#times.seconds) return true;
    const medianUs = this.#medianMs() / this.#every * 1000;
    this.count = { messages: this.#messages, seconds, medianUs };
    return false;
  }

  #medianMs(): number {
    const count = Math.min(this.#intervals, INTERVALS_MAX);
    return this.#intervalsMs.subarray(0, count).sort()[count >> 1];
  }
}

/** A message's bytes, summed up: what each receiver does with it. */
export function checksum(message: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < message.length; at++) sum = (sum + message[at]) | 0;
  return sum;
}
