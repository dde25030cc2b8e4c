/**
 * Running what is queued. An item that has been dropped since it was queued is
 * passed over; one whose handler throws disturbs no other.
 *
 * @module
 */

import type { FdEvent } from "./fd_event.ts";
import type { MutableMetrics } from "./metrics.ts";
import type { Timer } from "./timers.ts";
import {
  ERROR_WORK,
  READ_WORK,
  type Task,
  TASK_WORK,
  TIMER_WORK,
  type Work,
  type WorkQueues,
  WRITE_WORK,
} from "./work_queue.ts";

/** Where the errors of handlers go. */
export type ErrorHandler = (error: unknown, source: object) => void;

/** Drains the work queues. */
export class Dispatcher {
  /** Whether what is queued is to stay queued. */
  halted = false;
  readonly #queues: WorkQueues;
  readonly #metrics: MutableMetrics;
  readonly #onError: ErrorHandler | undefined;

  constructor(
    queues: WorkQueues,
    metrics: MutableMetrics,
    onError: ErrorHandler | undefined,
  ) {
    this.#queues = queues;
    this.#metrics = metrics;
    this.#onError = onError;
  }

  /** Runs `handlersMax` handlers at the most. Returns how many it ran. */
  run(handlersMax: number): number {
    let ran = 0;
    while (ran < handlersMax && !this.halted) {
      const queue = this.#queues.next();
      if (queue === null) break;
      const kind = queue.kind;
      const work = queue.shift();
      this.#queues.taken();
      try {
        ran += this.runOne(work, kind);
      } catch (error) {
        if (this.#onError === undefined) throw error;
        ran++;
        this.#onError(error, kind === TASK_WORK ? (work as Task).source : work);
      }
    }
    return ran;
  }

  /**
   * Drops what is queued but for tasks, and runs those, all of them. Throws the
   * first error that nobody takes.
   */
  finish(): void {
    const errors: unknown[] = [];
    for (;;) {
      const queue = this.#queues.next();
      if (queue === null) break;
      const kind = queue.kind;
      const work = queue.shift();
      this.#queues.taken();
      if (kind === TIMER_WORK) (work as Timer).cancel();
      if (kind !== TASK_WORK) continue;
      try {
        (work as Task).run();
      } catch (error) {
        if (this.#onError === undefined) errors.push(error);
        else this.#onError(error, (work as Task).source);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Runs one item. Returns the handlers run. A watched engine puts its own here. */
  runOne(work: Work, kind: number): number {
    switch (kind) {
      case READ_WORK: {
        const event = work as FdEvent;
        event.queued &= ~READ_WORK;
        if ((event.due & READ_WORK) === 0) return this.#stale();
        event.due &= ~READ_WORK;
        if (event.handlers.read === undefined) return 0;
        event.handlers.read(event);
        return 1;
      }
      case WRITE_WORK: {
        const event = work as FdEvent;
        event.queued &= ~WRITE_WORK;
        if ((event.due & WRITE_WORK) === 0) return this.#stale();
        event.due &= ~WRITE_WORK;
        if (event.handlers.write === undefined) return 0;
        event.handlers.write(event);
        return 1;
      }
      case ERROR_WORK: {
        const event = work as FdEvent;
        event.queued &= ~ERROR_WORK;
        if ((event.due & ERROR_WORK) === 0) return this.#stale();
        event.due &= ~ERROR_WORK;
        return runError(event);
      }
      case TIMER_WORK: {
        const timer = work as Timer;
        timer.queued = false;
        if (!timer.due) return this.#stale();
        timer.due = false;
        timer.fire();
        return 1;
      }
      default:
        return (work as Task).run();
    }
  }

  #stale(): number {
    this.#metrics.staleEvents++;
    return 0;
  }
}

function runError(event: FdEvent): number {
  const failure = event.failure;
  event.failure = null;
  if (event.handlers.error === undefined) {
    if (failure !== null) throw failure;
    return 0;
  }
  event.handlers.error(event, failure);
  return 1;
}
