/**
 * The timer queue: a binary heap by the latest time each timer may fire.
 * Cancelling and postponing only mark the timer; the heap catches up when the
 * timer comes to its top, or when half of the heap is cancelled.
 *
 * @module
 */

import type { EngineParts } from "./parts.ts";

/** The shortest period, a nanosecond, and what stands for one that is lost. */
const PERIOD_MIN_MS = 0.000001;
const PERIOD_ROUNDED_MS = 0.001;
/** What stands for that where the clock is too large for it: a part of the clock. */
const PERIOD_ROUNDED_PART = Number.EPSILON;

/** Heap entries that may be cancelled before a sweep is worth its cost. */
const SWEEP_MIN = 64;

/**
 * A timer of an engine, made by {@linkcode Engine.timer}.
 *
 * Times are of CLOCK_MONOTONIC, in milliseconds with a fraction. A timer never
 * fires early; those with the same deadline fire in the order in which they
 * were set.
 */
export class Timer implements Disposable {
  /** @internal When it may fire at the earliest; Infinity: never. */
  deadlineMs = Infinity;
  /** @internal When it must have fired. */
  latestMs = Infinity;
  /** @internal Counts settings, so that equal deadlines keep their order; 0: not set. */
  order = 0;
  /** @internal Its place in the heap, or -1. */
  heapIndex = -1;
  /** @internal The `latestMs` and `order` that put it there. */
  heapMs = 0;
  /** @internal */
  heapOrder = 0;
  /** @internal The deadline that passed last. */
  passedMs = 0;
  /** @internal Whether its handler waits in the work queue. */
  due = false;
  /** @internal Whether an item for it stands in the work queue. */
  queued = false;

  readonly #parts: EngineParts;
  readonly #handler: () => void;
  #delayMs: number;
  readonly #slackMs: number;
  readonly #repeat: boolean;

  /** @internal */
  constructor(
    parts: EngineParts,
    delayMs: number,
    handler: () => void,
    repeat: boolean,
    slackMs: number,
  ) {
    checkDelay(slackMs, "slackMs");
    if (slackMs < 0 || slackMs === Infinity) {
      throw new RangeError(
        `Cannot set a timer: slackMs must be finite and not negative, and is ${slackMs}`,
      );
    }
    this.#parts = parts;
    this.#handler = handler;
    this.#delayMs = delayMs;
    this.#slackMs = slackMs;
    this.#repeat = repeat;
    this.reset(delayMs);
  }

  /** Whether the timer is set: it will fire unless it is cancelled. */
  get active(): boolean {
    return this.due || this.deadlineMs !== Infinity;
  }

  /**
   * Sets the timer again, `delayMs` from now, whether or not it has fired or
   * been cancelled. A handler that is due and has not run is forgotten. Costs
   * no system call; postponing costs no work on the heap either.
   *
   * @param delayMs Milliseconds, fractions allowed; the first delay if left
   * out. Infinity never fires.
   * @throws {RangeError} If `delayMs` is NaN, or less than a nanosecond for a
   * repeating timer.
   */
  reset(delayMs: number = this.#delayMs): void {
    checkDelay(delayMs, "delayMs");
    if (this.#repeat && delayMs < PERIOD_MIN_MS) {
      throw new RangeError(
        `Cannot repeat a timer: delayMs must be at least ${PERIOD_MIN_MS}, and is ${delayMs}`,
      );
    }
    this.#delayMs = delayMs;
    this.due = false;
    const nowMs = this.#parts.calls.now();
    this.#parts.timers.nowMs = nowMs;
    this.#schedule(nowMs + Math.max(delayMs, 0));
  }

  /** Makes sure that the handler is not called again. Harmless if repeated. */
  cancel(): void {
    this.due = false;
    if (this.deadlineMs === Infinity) return;
    this.#unset();
    if (this.heapIndex !== -1) this.#parts.timers.cancelled();
  }

  /** Cancels the timer. */
  [Symbol.dispose](): void {
    this.cancel();
  }

  /** @internal Called by the queue: the deadline has passed. */
  expired(nowMs: number): void {
    const deadlineMs = this.deadlineMs;
    this.passedMs = deadlineMs;
    this.due = true;
    this.#unset();
    if (!this.#repeat) return;
    // A loop that was held up for several periods is called back once.
    const missed = Math.floor((nowMs - deadlineMs) / this.#delayMs);
    const nextMs = deadlineMs + (missed + 1) * this.#delayMs;
    if (nextMs > nowMs) return this.#schedule(nextMs);
    // Sums of tiny periods may be rounded down.
    const least = Math.max(PERIOD_ROUNDED_MS, nowMs * PERIOD_ROUNDED_PART);
    this.#schedule(nowMs + least);
  }

  /** @internal Called by dispatch. */
  fire(): void {
    this.#handler();
  }

  #unset(): void {
    this.deadlineMs = Infinity;
    this.latestMs = Infinity;
    this.order = 0;
  }

  #schedule(deadlineMs: number): void {
    if (deadlineMs === Infinity) return this.cancel();
    const wasSet = this.order !== 0;
    this.deadlineMs = deadlineMs;
    this.latestMs = deadlineMs + this.#slackMs;
    this.#parts.timers.set(this, wasSet);
    this.#parts.touched();
  }
}

/** Throws a RangeError for what is not a number of milliseconds. */
export function checkDelay(valueMs: number, name: string): void {
  if (typeof valueMs !== "number" || Number.isNaN(valueMs)) {
    throw new RangeError(
      `Cannot set a timer: ${name} must be a number of milliseconds, and is ${valueMs}`,
    );
  }
}

/** A reading of the clock. A number in a field would be allocated each time. */
export type Instant = Readonly<{ ms: number }>;

/** The heap of an engine's timers. */
export class Timers {
  /** The clock as it was last read for a timer: in each turn that has one. */
  nowMs = -Infinity;
  #instant: Instant = { ms: -Infinity };
  #heap: Timer[] = [];
  #cancelled = 0;
  #order = 0;

  /** `nowMs` to be kept: one for all who keep it until it changes. */
  get instant(): Instant {
    if (this.#instant.ms !== this.nowMs) this.#instant = { ms: this.nowMs };
    return this.#instant;
  }

  /** Entries of the heap, cancelled ones that are still in it included. */
  get length(): number {
    return this.#heap.length;
  }

  /** Timers that are set. */
  get count(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Takes up a timer whose deadline was just changed. */
  set(timer: Timer, wasSet: boolean): void {
    timer.order = ++this.#order;
    if (timer.heapIndex === -1) {
      this.#heap.push(timer);
      this.#enter(timer, this.#heap.length - 1);
      return;
    }
    if (!wasSet) this.#cancelled--;
    // Later than where it stands: the heap finds out when it is at the top.
    if (timer.latestMs < timer.heapMs) this.#enter(timer, timer.heapIndex);
  }

  /** Counts an entry as cancelled, and sweeps once they are half of the heap. */
  cancelled(): void {
    this.#cancelled++;
    if (
      this.#cancelled > SWEEP_MIN && this.#cancelled * 2 > this.#heap.length
    ) this.#sweep();
  }

  /** When the wait must end for the nearest timer; Infinity when there is none. */
  nearestMs(): number {
    while (this.#heap.length !== 0) {
      const top = this.#heap[0];
      if (top.heapOrder === top.order) return top.heapMs;
      this.#refresh(top);
    }
    return Infinity;
  }

  /**
   * Takes the next timer whose deadline has passed, or null. Timers with slack
   * that have begun to be due go along with those that must fire now.
   */
  expire(nowMs: number): Timer | null {
    this.nowMs = nowMs;
    if (this.nearestMs() === Infinity) return null;
    const top = this.#heap[0];
    if (top.deadlineMs > nowMs) return null;
    this.#shift();
    top.expired(nowMs);
    return top;
  }

  /** Cancels all timers. */
  clear(): void {
    const heap = this.#heap;
    this.#heap = [];
    this.#cancelled = 0;
    for (const timer of heap) {
      timer.heapIndex = -1;
      timer.cancel();
    }
  }

  /** Puts the top where it belongs by now: further down, or nowhere. */
  #refresh(top: Timer): void {
    if (top.order === 0) {
      this.#cancelled--;
      this.#shift();
      return;
    }
    top.heapMs = top.latestMs;
    top.heapOrder = top.order;
    this.#down(0, top);
  }

  /** Lets a timer rise from `index`, at or above which it belongs. */
  #enter(timer: Timer, index: number): void {
    timer.heapMs = timer.latestMs;
    timer.heapOrder = timer.order;
    const heap = this.#heap;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(timer, heap[parent])) break;
      heap[index] = heap[parent];
      heap[index].heapIndex = index;
      index = parent;
    }
    heap[index] = timer;
    timer.heapIndex = index;
  }

  #shift(): void {
    const heap = this.#heap;
    heap[0].heapIndex = -1;
    const last = heap.pop() as Timer;
    if (heap.length !== 0) this.#down(0, last);
  }

  #sweep(): void {
    const kept: Timer[] = [];
    for (const timer of this.#heap) {
      if (timer.order === 0) {
        timer.heapIndex = -1;
      } else {
        timer.heapIndex = kept.length;
        kept.push(timer);
      }
    }
    this.#heap = kept;
    this.#cancelled = 0;
    for (let index = (kept.length >> 1) - 1; index >= 0; index--) {
      this.#down(index, kept[index]);
    }
  }

  #down(index: number, timer: Timer): void {
    const heap = this.#heap;
    const half = heap.length >> 1;
    while (index < half) {
      let child = 2 * index + 1;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) {
        child++;
      }
      if (!before(heap[child], timer)) break;
      heap[index] = heap[child];
      heap[index].heapIndex = index;
      index = child;
    }
    heap[index] = timer;
    timer.heapIndex = index;
  }
}

function before(one: Timer, other: Timer): boolean {
  return one.heapMs < other.heapMs ||
    (one.heapMs === other.heapMs && one.heapOrder < other.heapOrder);
}
