/**
 * Where an engine's time goes. The clock is read around each wait, when work is
 * taken up, and after each handler.
 *
 * @module
 */

import type { SystemCalls } from "../../ffi/mod.ts";
import type { Loop } from "../loop.ts";
import type { Timer } from "../timers.ts";
import { TIMER_WORK } from "../work_queue.ts";
import { Histogram } from "./histogram.ts";
import { intercept, type Watcher } from "./watcher.ts";

/**
 * Where the time of an engine made with `timings` goes: a live view, in
 * `engine.metrics.timings`.
 *
 * A handler that turns the engine itself counts as one; what it ran is part of
 * it. Beside the runtime's own loop, with `start()`, waits on another thread
 * count as waits.
 */
export interface EngineTimings {
  /** Time spent waiting for kernel events, in milliseconds. */
  readonly waitMs: number;
  /** Time spent in handlers, in milliseconds. */
  readonly handlersMs: number;
  /**
   * From the end of a wait to the beginning of the next: how long the loop was
   * at work and looked at nothing new.
   */
  readonly turn: Histogram;
  /**
   * From the wait that reported something, or the handler that asked for it, to
   * the beginning of its handler.
   */
  readonly latency: Histogram;
  /** How long handlers took. */
  readonly handler: Histogram;
  /** How much later than their deadlines timers' handlers began, slack included. */
  readonly timerLateness: Histogram;
}

/** Takes the times of one engine. */
export class Timings implements EngineTimings, Watcher {
  waitMs = 0;
  handlersMs = 0;
  readonly turn: Histogram = new Histogram();
  readonly latency: Histogram = new Histogram();
  readonly handler: Histogram = new Histogram();
  readonly timerLateness: Histogram = new Histogram();
  /** The clock as it was last read. */
  #nowMs = 0;
  #waitedUntilMs: number | null = null;
  /** When the work in hand was queued. */
  #queuedMs = 0;
  #inHandler = false;

  calls(calls: SystemCalls): SystemCalls {
    return {
      ...calls,
      epoll_wait: (epfd, events, eventsMax, timeoutMs) => {
        this.#waits(calls.now());
        const count = calls.epoll_wait(epfd, events, eventsMax, timeoutMs);
        this.#waited(calls.now());
        return count;
      },
      epoll_pwait2: (epfd, events, eventsMax, timeoutMs) => {
        this.#waits(calls.now());
        const count = calls.epoll_pwait2(epfd, events, eventsMax, timeoutMs);
        this.#waited(calls.now());
        return count;
      },
      waitReadable: async (fd, timeoutMs) => {
        this.#waits(calls.now());
        await calls.waitReadable(fd, timeoutMs);
        this.#waited(calls.now());
      },
    };
  }

  attach({ calls, dispatcher, metrics, queues }: Loop): void {
    metrics.timings = this;
    for (const queue of queues.all) {
      const times = new TimeQueue();
      intercept(queue, "push", (push) => (work, kind) => {
        times.push(this.#nowMs);
        push(work, kind);
      });
      intercept(queue, "shift", (shift) => () => {
        this.#queuedMs = times.shift();
        return shift();
      });
    }
    intercept(dispatcher, "run", (run) => (handlersMax) => {
      // Without a wait before it, for work that was queued from outside.
      this.#nowMs = calls.now();
      return run(handlersMax);
    });
    intercept(dispatcher, "runOne", (runOne) => (work, kind) => {
      if (this.#inHandler) return runOne(work, kind);
      const beganMs = this.#nowMs;
      const queuedMs = this.#queuedMs;
      this.#inHandler = true;
      let ran = 1;
      try {
        ran = runOne(work, kind);
      } finally {
        this.#inHandler = false;
        this.#nowMs = calls.now();
        if (ran !== 0) {
          const deadlineMs = kind === TIMER_WORK
            ? (work as Timer).passedMs
            : null;
          this.#ran(queuedMs, beganMs, deadlineMs);
        }
      }
      return ran;
    });
  }

  #waits(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#waitedUntilMs !== null) {
      this.turn.record(nowMs - this.#waitedUntilMs);
    }
  }

  #waited(nowMs: number): void {
    this.waitMs += nowMs - this.#nowMs;
    this.#nowMs = nowMs;
    this.#waitedUntilMs = nowMs;
  }

  #ran(queuedMs: number, beganMs: number, deadlineMs: number | null): void {
    const tookMs = this.#nowMs - beganMs;
    this.handlersMs += tookMs;
    this.handler.record(tookMs);
    this.latency.record(beganMs - queuedMs);
    if (deadlineMs !== null) this.timerLateness.record(beganMs - deadlineMs);
  }
}

/** Stands beside a work queue, and says when each of its items was queued. */
class TimeQueue {
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
