/** When each timer may fire and when it must, from the documented rules alone. */
import type { Timer } from "../../../mod.ts";
import type { TimerAction } from "./timer_steps.ts";
import { expect } from "./violation.ts";

/** A timer, and what is known of it. */
export class TimerModel {
  timer: Timer | null = null;
  /** Not before; Infinity: never. */
  earliestMs = Infinity;
  /** The deadline is no later than this: the clock may move on while it is set. */
  deadlineMs = Infinity;
  /** Settings are counted, so that equal deadlines keep their order. */
  order = 0;
  readonly scripts: TimerAction[][] = [];
  #delayMs: number;
  readonly #repeat: boolean;
  readonly slackMs: number;

  constructor(delayMs: number, repeat: boolean, slackMs: number) {
    this.#delayMs = delayMs;
    this.#repeat = repeat;
    this.slackMs = slackMs;
  }

  /** It was set between two readings of the clock. */
  isSet(
    beforeMs: number,
    afterMs: number,
    delayMs: number,
    order: number,
  ): void {
    this.#delayMs = delayMs;
    this.earliestMs = beforeMs + delayMs;
    this.deadlineMs = afterMs + delayMs;
    this.order = order;
  }

  isCancelled(): void {
    this.earliestMs = this.deadlineMs = Infinity;
  }

  /** Its handler is called. */
  fired(nowMs: number): void {
    expect(
      nowMs >= this.earliestMs,
      () =>
        this.earliestMs === Infinity
          ? "a timer fired that is not set"
          : `a timer fired ${this.earliestMs - nowMs} ms early`,
    );
    if (!this.#repeat) return this.isCancelled();
    // Periods that were missed are made up for by one call. The clock may have
    // gone on since the loop looked at it.
    const periods = Math.floor((nowMs - this.deadlineMs) / this.#delayMs);
    this.earliestMs += this.#delayMs;
    this.deadlineMs += (Math.max(0, periods) + 1) * this.#delayMs;
  }

  /** Whether `other`, whose deadline is known, has to fire before this. */
  isAfter(other: TimerModel): boolean {
    if (this.slackMs > 0 || other.slackMs > 0) return false;
    if (other.deadlineMs < this.earliestMs) return true;
    // Repeating is setting again, and nobody sees when.
    const exact = this.earliestMs === this.deadlineMs &&
      other.earliestMs === other.deadlineMs && !this.#repeat && !other.#repeat;
    return exact && other.deadlineMs === this.deadlineMs &&
      other.order < this.order;
  }
}
