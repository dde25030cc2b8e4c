/**
 * The loop: drain the queues, commit changes, wait up to the nearest timer,
 * queue the work of what arrived.
 *
 * @module
 */

import { EPOLL_CLOEXEC, SystemError } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { Beside } from "./beside.ts";
import { Changes } from "./changes.ts";
import { Dispatcher, type ErrorHandler } from "./dispatcher.ts";
import type { FdEvent } from "./fd_event.ts";
import { queueRead, queueWrite } from "./interest.ts";
import { MutableMetrics } from "./metrics.ts";
import { ReceiveBuffer } from "./net/receive_buffer.ts";
import type { EngineParts, WorkSource } from "./parts.ts";
import { Registry } from "./registry.ts";
import { Spin } from "./spin.ts";
import { Timers } from "./timers.ts";
import type { TriggerRules } from "./trigger.ts";
import { Waiter } from "./waiter.ts";
import type { Watcher } from "./watch/watcher.ts";
import {
  FAST,
  READ_WORK,
  TASK_WORK,
  TIMER_WORK,
  WorkQueues,
  WRITE_WORK,
} from "./work_queue.ts";

/** The limits of a loop, all checked. */
export interface LoopLimits {
  readonly eventsMax: number;
  readonly changesMax: number;
  readonly dispatchMax: number;
  /** 0 for none. */
  readonly spinUs: number;
}

/** An epoll descriptor and the round that is made with it. */
export class Loop implements EngineParts {
  readonly epfd: number;
  readonly calls: SystemCalls;
  readonly rules: TriggerRules;
  readonly registry: Registry = new Registry();
  readonly queues: WorkQueues = new WorkQueues();
  readonly metrics: MutableMetrics = new MutableMetrics(this.queues);
  readonly timers: Timers = new Timers();
  readonly receive: ReceiveBuffer = new ReceiveBuffer();
  readonly sources: WorkSource[] = [];
  readonly again: FdEvent[] = [];
  readonly changes: Changes;
  readonly dispatcher: Dispatcher;
  stopping = false;
  closed = false;

  readonly #waiter: Waiter;
  readonly #dispatchMax: number;
  readonly #spin: Spin | null;
  readonly #onError: ErrorHandler | undefined;
  #running = false;
  #beside: Beside | null = null;

  constructor(
    calls: SystemCalls,
    rules: TriggerRules,
    limits: LoopLimits,
    onError: ErrorHandler | undefined,
    watchers: readonly Watcher[] = [],
  ) {
    calls = watchers.reduce((calls, watcher) => watcher.calls(calls), calls);
    const epfd = calls.epoll_create1(EPOLL_CLOEXEC);
    if (epfd < 0) throw new SystemError("epoll_create1", -epfd);
    this.epfd = epfd;
    this.calls = calls;
    this.rules = rules;
    this.changes = new Changes(calls, epfd, limits.changesMax, this.metrics);
    this.#waiter = new Waiter(
      calls,
      epfd,
      limits.eventsMax,
      this.registry,
      this.timers,
      this.metrics,
    );
    this.dispatcher = new Dispatcher(this.queues, this.metrics, onError);
    this.#dispatchMax = limits.dispatchMax;
    this.#spin = limits.spinUs === 0 ? null : new Spin(limits.spinUs);
    this.#onError = onError;
    for (const watcher of watchers) watcher.attach(this);
  }

  /** Commits, waits and queues. Returns the kernel events. */
  poll(timeoutMs: number): number {
    this.changes.commit();
    if (this.#busy() || timeoutMs === 0) return this.#look(0);
    if (this.#spin !== null) return this.#pollSpinning(this.#spin, timeoutMs);
    return this.#look(this.#sleep() ? 0 : timeoutMs);
  }

  /** Runs queued work. Returns the handlers run. */
  dispatch(handlersMax: number = this.#dispatchMax): number {
    return this.dispatcher.run(Math.min(handlersMax, this.#dispatchMax));
  }

  /** One round. Returns the handlers run. */
  turn(timeoutMs: number): number {
    const ran = this.dispatch();
    if (this.closed) return ran;
    this.poll(timeoutMs);
    return ran + this.dispatch();
  }

  /**
   * Ends a turn that the user made: until the next one the engine counts as
   * asleep, so that its descriptor tells of what is sent to it.
   */
  leave(): void {
    if (this.#running || this.closed) return;
    for (const source of this.sources) {
      if (source.sleep()) source.ring();
    }
  }

  /** Owns this thread until `stop()`. */
  run(): void {
    this.#enter("run");
    try {
      while (!this.stopping && !this.closed) {
        this.dispatch();
        if (!this.stopping && !this.closed) this.poll(-1);
      }
      this.stopping = false;
    } finally {
      this.#leaveRun();
    }
  }

  /** Runs beside the runtime's own event loop until `stop()`. */
  async start(): Promise<void> {
    this.#enter("start");
    try {
      this.#beside = new Beside(this);
      await this.#beside.run();
      this.stopping = false;
    } finally {
      this.#beside?.close();
      this.#beside = null;
      this.#leaveRun();
      if (this.closed) this.calls.close(this.epfd);
    }
  }

  stop(): void {
    this.stopping = true;
    if (this.#running) this.dispatcher.halted = true;
    this.#beside?.end();
  }

  report(error: unknown, source: object): void {
    this.#onError?.(error, source);
  }

  touched(): void {
    this.#beside?.touched();
  }

  /** Closes what the engine opened. */
  close(): void {
    this.closed = true;
    for (const source of [...this.sources]) source.close();
    for (const event of this.registry.all()) {
      if ("engineClosed" in event.handlers) event.handlers.engineClosed(event);
      else event.detach();
    }
    this.timers.clear();
    try {
      this.dispatcher.finish();
    } finally {
      // A wait on another thread still uses the descriptor: it is closed then.
      if (this.#beside === null) this.calls.close(this.epfd);
      else this.#beside.end();
    }
  }

  /** Waits, and queues what has come. Returns the kernel events. */
  #look(waitMs: number): number {
    const events = this.#waiter.wait(waitMs);
    if (this.again.length !== 0) this.#queueAgain();
    for (const source of this.sources) {
      if (source.wake()) this.queues.push(FAST, source, TASK_WORK);
    }
    if (this.timers.length !== 0) this.#expireTimers();
    return events;
  }

  /** Looks for a while, in which nobody has to wake this thread, and then waits. */
  #pollSpinning(spin: Spin, timeoutMs: number): number {
    const beganMs = this.calls.now();
    const timeoutAtMs = timeoutMs < 0 ? Infinity : beganMs + timeoutMs;
    const endMs = Math.min(beganMs + spin.ms, timeoutAtMs);
    let nowMs = beganMs;
    while (nowMs < endMs) {
      const events = this.#look(0);
      if (events > 0 || this.hasWork()) return events;
      nowMs = this.calls.now();
    }
    const leftMs = timeoutMs < 0 ? -1 : Math.max(timeoutAtMs - nowMs, 0);
    const events = this.#look(this.#sleep() ? 0 : leftMs);
    spin.waited(this.calls.now() - beganMs);
    return events;
  }

  #busy(): boolean {
    return this.changes.takeFailure() || this.stopping || this.hasWork();
  }

  #queueAgain(): void {
    for (const event of this.again) {
      if ((event.due & READ_WORK) !== 0) queueRead(event);
      if ((event.due & WRITE_WORK) !== 0) queueWrite(event);
    }
    this.again.length = 0;
  }

  /** True if a source has work, so that the wait must not be entered. */
  #sleep(): boolean {
    let work = false;
    for (const source of this.sources) {
      if (source.sleep()) work = true;
    }
    return work;
  }

  /** Whether handlers are due now. */
  hasWork(): boolean {
    return this.queues.length !== 0 || this.again.length !== 0;
  }

  /** Whether the loop may be waited for: nothing to do, and all sources asleep. */
  idle(): boolean {
    return !this.hasWork() && this.changes.length === 0 && !this.#sleep();
  }

  #enter(verb: string): void {
    if (this.#running) {
      throw new Error(`Cannot ${verb} the engine: it is running already`);
    }
    this.#running = true;
    this.dispatcher.halted = false;
  }

  #leaveRun(): void {
    this.#running = false;
    this.dispatcher.halted = false;
    this.leave();
  }

  #expireTimers(): void {
    const nowMs = this.calls.now();
    for (;;) {
      const timer = this.timers.expire(nowMs);
      if (timer === null) return;
      if (timer.queued) continue;
      timer.queued = true;
      this.queues.push(FAST, timer, TIMER_WORK);
    }
  }
}
