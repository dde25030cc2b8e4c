/** The timers of a soak's server: never early, never after they are cancelled. */
import { systemCalls } from "../../ffi/mod.ts";
import type { Engine, Timer } from "../../mod.ts";

const TIMERS = 200;
const DELAY_MAX_MS = 300;
const SLACK_MAX_MS = 20;
/** One firing in so many changes some other timer. */
const MEDDLES_ONE_IN = 4;

/** Sets timers again and again, until it is stopped. */
export class TimerPart {
  fired = 0;
  readonly violations: string[] = [];
  readonly #engine: Engine;
  readonly #random: (bound: number) => number;
  readonly #timers: Timer[] = [];
  /** When each timer may fire; Infinity: it was cancelled. */
  readonly #dueMs: number[] = [];

  constructor(engine: Engine, random: (bound: number) => number) {
    this.#engine = engine;
    this.#random = random;
    for (let index = 0; index < TIMERS; index++) {
      this.#dueMs.push(0);
      this.#timers.push(this.#timer(index));
    }
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#dueMs.fill(Infinity);
  }

  #timer(index: number): Timer {
    const delayMs = this.#due(index);
    const slackMs = this.#random(2) * SLACK_MAX_MS;
    const fire = () => this.#fired(index);
    return this.#engine.timer(delayMs, fire, { slackMs });
  }

  #due(index: number): number {
    const delayMs = this.#random(DELAY_MAX_MS * 10) / 10;
    this.#dueMs[index] = systemCalls.now() + delayMs;
    return delayMs;
  }

  #fired(index: number): void {
    this.fired++;
    const earlyMs = this.#dueMs[index] - systemCalls.now();
    if (earlyMs === Infinity) this.violations.push("a cancelled timer fired");
    else if (earlyMs > 0) {
      this.violations.push(`a timer was ${earlyMs} ms early`);
    }
    if (this.#random(2) === 0) this.#timers[index].reset(this.#due(index));
    else this.#timers[index] = this.#timer(index);
    if (this.#random(MEDDLES_ONE_IN) === 0) this.#meddle();
  }

  /** Cancels, postpones or brings forward another timer. */
  #meddle(): void {
    const index = this.#random(TIMERS);
    const timer = this.#timers[index];
    timer.cancel();
    this.#dueMs[index] = Infinity;
    if (this.#random(2) === 0) timer.reset(this.#due(index));
    else this.#timers[index] = this.#timer(index);
  }
}
