/**
 * Options of an engine.
 *
 * @module
 */

import type { Trigger } from "./trigger.ts";

/** Options of an {@linkcode Engine}. */
export interface EngineOptions {
  /** How the kernel reports readiness. @default {"edge"} */
  trigger?: Trigger;
  /** Kernel events taken up by one wait, at least 1. @default {512} */
  eventsMax?: number;
  /** Descriptors with pending changes; one more commits them. @default {4 × eventsMax} */
  changesMax?: number;
  /** Handlers run by one `dispatch()`, so that polling never starves. @default {1024} */
  dispatchMax?: number;
  /**
   * Called with what a handler threw, and with a failed change of a descriptor
   * without an error handler. `source` is the event, timer or other object
   * concerned. Without it such errors come out of `run()`, `start()`, `turn()`
   * or `dispatch()`, and the engine can be run again.
   */
  onError?(error: unknown, source: object): void;
}

/** Options of {@linkcode Engine.timer}. */
export interface TimerOptions {
  /** Whether the timer goes on firing, every `delayMs`. @default {false} */
  repeat?: boolean;
  /**
   * How much later than its deadline the timer may fire, so that it can share a
   * wake-up with others. Milliseconds, finite, at least 0. @default {0}
   */
  slackMs?: number;
}

/** The most that a maximum can be. */
export const MAX_MAX: number = 0xffffff;

/** Throws a RangeError for what is no maximum. */
export function checkMax(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > MAX_MAX) {
    throw new RangeError(
      `Cannot create an engine: ${name} must be an integer from 1 to ${MAX_MAX}, and is ${value}`,
    );
  }
}
