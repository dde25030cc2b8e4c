/**
 * Waiting for kernel events: against a deadline, through interruptions, and the
 * scan of what arrived.
 *
 * @module
 */

import { EINTR, ENOSYS, EpollEvents, SystemError } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { deliver } from "./delivery.ts";
import type { MutableMetrics } from "./metrics.ts";
import type { Registry } from "./registry.ts";
import type { Timers } from "./timers.ts";

/** The longest wait that fits epoll_wait's argument: 24 days. */
const WAIT_MAX_MS = 0x7fffffff;

/**
 * Checks a timeout and brings it into the form of epoll_wait: -1 for ever.
 *
 * @throws {RangeError} For NaN, and for what is not a number.
 */
export function checkTimeout(timeoutMs: number): number {
  if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) {
    throw new RangeError(
      `Cannot wait: the timeout must be a number of milliseconds, and is ${timeoutMs}`,
    );
  }
  // Adding 0 makes 0 of -0, which the FFI refuses as an integer (Deno 2.9.6).
  return timeoutMs < 0 || timeoutMs === Infinity ? -1 : timeoutMs + 0;
}

/** Waits on one epoll descriptor and takes up its events. */
export class Waiter {
  readonly #calls: SystemCalls;
  readonly #epfd: number;
  readonly #registry: Registry;
  readonly #timers: Timers;
  readonly #metrics: MutableMetrics;
  readonly #events: EpollEvents;
  #hasNanoseconds = true;

  constructor(
    calls: SystemCalls,
    epfd: number,
    eventsMax: number,
    registry: Registry,
    timers: Timers,
    metrics: MutableMetrics,
  ) {
    this.#calls = calls;
    this.#epfd = epfd;
    this.#registry = registry;
    this.#timers = timers;
    this.#metrics = metrics;
    this.#events = new EpollEvents(eventsMax);
  }

  /**
   * Waits `timeoutMs` at the most, cut to the nearest timer, and queues the
   * work of what arrived. Returns the number of kernel events.
   *
   * @throws {SystemError} If the epoll descriptor is not usable.
   */
  wait(timeoutMs: number): number {
    this.#metrics.turns++;
    const nearestMs = timeoutMs === 0 ? Infinity : this.#timers.nearestMs();
    const count = timeoutMs > 0 || nearestMs !== Infinity
      ? this.#waitUntil(timeoutMs, nearestMs)
      : this.#waitPlainly(timeoutMs);
    if (count < 0) {
      throw new SystemError("epoll_wait", -count, { fd: this.#epfd });
    }
    this.#scan(count);
    return count;
  }

  /** For ever or not at all: needs no clock. */
  #waitPlainly(timeoutMs: number): number {
    for (;;) {
      const count = this.#calls.epoll_wait(
        this.#epfd,
        this.#events.words,
        this.#events.eventsMax,
        timeoutMs,
      );
      if (count !== -EINTR) return count;
    }
  }

  #waitUntil(timeoutMs: number, nearestMs: number): number {
    let nowMs = this.#calls.now();
    const deadlineMs = timeoutMs < 0
      ? nearestMs
      : Math.min(nowMs + timeoutMs, nearestMs);
    for (;;) {
      const count = this.#waitFor(deadlineMs - nowMs);
      if (count !== 0 && count !== -EINTR) return count;
      nowMs = this.#calls.now();
      // After an interruption, a clamped wait, or a rounding of the clock.
      if (nowMs >= deadlineMs) return 0;
    }
  }

  #waitFor(remainingMs: number): number {
    const words = this.#events.words;
    const eventsMax = this.#events.eventsMax;
    if (remainingMs <= 0) {
      return this.#calls.epoll_wait(this.#epfd, words, eventsMax, 0);
    }
    const waitMs = Math.min(remainingMs, WAIT_MAX_MS);
    if (this.#hasNanoseconds) {
      const count = this.#calls.epoll_pwait2(
        this.#epfd,
        words,
        eventsMax,
        waitMs,
      );
      if (count !== -ENOSYS) return count;
      this.#hasNanoseconds = false;
    }
    return this.#calls.epoll_wait(
      this.#epfd,
      words,
      eventsMax,
      Math.ceil(waitMs),
    );
  }

  #scan(count: number): void {
    const events = this.#events;
    this.#metrics.events += count;
    for (let index = 0; index < count; index++) {
      const event = this.#registry.find(
        events.slot(index),
        events.generation(index),
      );
      if (event !== null) deliver(event, events.mask(index));
      else this.#metrics.staleEvents++;
    }
  }
}
