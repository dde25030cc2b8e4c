/**
 * A histogram of times with buckets of a fixed number, which a recording neither
 * allocates nor moves.
 *
 * @module
 */

/** Units in a millisecond: a unit is a tenth of a microsecond. */
const UNITS_IN_MS = 10_000;
/** The longest time that has a bucket, in units: 7 minutes. */
const UNITS_MAX = 0xffffffff;
/** Each power of two of units is split into 2 ** 4 buckets, of 1/16 of it. */
const SPLIT_BITS = 4;
/** The bucket of `UNITS_MAX` is the last. */
const BUCKETS = bucketOf(UNITS_MAX) + 1;

/** Places in the array of totals. */
const COUNT = 0;
const TOTAL_MS = 1;
const MAX_MS = 2;

/**
 * How often times of each length were met. Times are in milliseconds with a
 * fraction, known to a tenth of a microsecond up to 3 µs and to 1/16 above; 7
 * minutes and more count as 7 minutes. It takes 4 KiB.
 *
 * @example The slowest handlers of the last second
 * ```ts
 * import { Engine, Histogram } from "@edgewise/epoll";
 *
 * using engine = new Engine({ timings: true });
 * let before = new Histogram();
 * engine.timer(1000, () => {
 *   const now = engine.metrics.timings?.handler.copy() ?? new Histogram();
 *   const { count, maxMs } = now.since(before);
 *   before = now;
 *   console.log(`${count} handlers, the slowest took ${maxMs} ms`);
 *   engine.stop();
 * }, { repeat: true });
 * engine.run();
 * ```
 */
export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS);
  readonly #totals = new Float64Array(3);

  /** Times recorded. */
  get count(): number {
    return this.#totals[COUNT];
  }

  /** Their sum, in milliseconds. */
  get totalMs(): number {
    return this.#totals[TOTAL_MS];
  }

  /** The longest, in milliseconds; 0 while there is none. */
  get maxMs(): number {
    return this.#totals[MAX_MS];
  }

  /** The mean, in milliseconds; 0 while there is none. */
  get meanMs(): number {
    return this.count === 0 ? 0 : this.totalMs / this.count;
  }

  /** @internal Takes up a time; a negative one counts as 0. */
  record(timeMs: number): void {
    const recordedMs = timeMs > 0 ? timeMs : 0;
    const units = Math.min(recordedMs * UNITS_IN_MS, UNITS_MAX);
    this.#buckets[bucketOf(units)]++;
    this.#totals[COUNT]++;
    this.#totals[TOTAL_MS] += recordedMs;
    if (recordedMs > this.#totals[MAX_MS]) this.#totals[MAX_MS] = recordedMs;
  }

  /**
   * The time, in milliseconds, that `percent` of those recorded did not exceed:
   * the end of its bucket, so that it is never too low. 0 while there is none.
   *
   * @param percent From 0 to 100.
   * @throws {RangeError} If `percent` is not in that range.
   */
  percentileMs(percent: number): number {
    if (!(percent >= 0 && percent <= 100)) {
      throw new RangeError(
        `Cannot tell a percentile: it must be from 0 to 100, and is ${percent}`,
      );
    }
    const rank = Math.max(Math.ceil(this.count * percent / 100), 1);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#buckets[bucket];
      if (seen >= rank) return Math.min(endMs(bucket), this.maxMs);
    }
    return 0;
  }

  /** What was recorded so far, for {@linkcode Histogram.since}. */
  copy(): Histogram {
    const copy = new Histogram();
    copy.#buckets.set(this.#buckets);
    copy.#totals.set(this.#totals);
    return copy;
  }

  /**
   * What was recorded since `earlier` was copied from this histogram. Its
   * `maxMs` is known as exactly as its bucket.
   */
  since(earlier: Histogram): Histogram {
    const later = this.copy();
    let last = -1;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      later.#buckets[bucket] -= earlier.#buckets[bucket];
      if (later.#buckets[bucket] > 0) last = bucket;
    }
    later.#totals[COUNT] -= earlier.count;
    later.#totals[TOTAL_MS] -= earlier.totalMs;
    later.#totals[MAX_MS] = last < 0 ? 0 : Math.min(endMs(last), this.maxMs);
    return later;
  }
}

/** The bucket of a number of units: one for each up to 31, then 16 for each power of two. */
function bucketOf(units: number): number {
  const shift = Math.max(31 - SPLIT_BITS - Math.clz32(units), 0);
  return (shift << SPLIT_BITS) + (units >>> shift);
}

/** Where a bucket ends, in milliseconds. */
function endMs(bucket: number): number {
  const shift = Math.max((bucket >> SPLIT_BITS) - 1, 0);
  const units = bucket - (shift << SPLIT_BITS) + 1;
  return units * 2 ** shift / UNITS_IN_MS;
}
