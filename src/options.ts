/**
 * Options of an engine.
 *
 * @module
 */

import type { LoopLimits } from "./loop.ts";
import type { Trigger } from "./trigger.ts";
import type { TraceEntry } from "./watch/tracer.ts";

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
   * How long `run()`, `turn()` and `poll()` look for events before a wait, in
   * microseconds, at the most: it is longer while events come that soon, and
   * nothing after a longer wait. That saves the time in which the kernel wakes a
   * thread, and the system call of those who post to its inboxes, for a core
   * that is busy meanwhile: it makes things worse where what is waited for needs
   * that core. Each look is a turn in `engine.metrics`. An integer
   * from 0 to 10000; 0 for not at all. The rule is that of KVM's halt polling.
   * @default {0}
   */
  spinUs?: number;
  /**
   * Called with what a handler threw, and with a failed change of a descriptor
   * without an error handler. Called once, too, when a listener, an inbox or
   * another of the engine's own descriptors can't be watched for want of memory
   * or watches (`ENOMEM`, `ENOSPC`): it is tried again every 100 ms. `source` is the event, timer or other object
   * concerned. Without it such errors come out of `run()`, `start()`, `turn()`
   * or `dispatch()`, and the engine can be run again.
   */
  onError?(error: unknown, source: object): void;
  /**
   * Whether `engine.metrics.timings` says where the time goes. The clock is read
   * up to four times for each turn and once for each handler, which adds about
   * 0.15 µs to a handler. @default {false}
   */
  timings?: boolean;
  /**
   * Whether those who subscribe through node:diagnostics_channel are told:
   * `"edgewise:engine"` of an {@linkcode EngineMessage},
   * `"edgewise:descriptor"` of a {@linkcode DescriptorMessage},
   * `"edgewise:error"` of an {@linkcode ErrorMessage}. Loading the module takes
   * 3 ms of a program's start (Deno 2.9).
   *
   * @example What handlers throw, for a monitor
   * ```ts
   * import { Engine, type ErrorMessage } from "@edgewise/epoll";
   * import { subscribe } from "node:diagnostics_channel";
   *
   * subscribe("edgewise:error", (message) => {
   *   const { engine, error } = message as ErrorMessage;
   *   console.log(`${engine.fd}: ${error}`);
   * });
   * using engine = new Engine({ channels: true, onError() {} });
   * engine.timer(0, () => {
   *   throw new Error("told to the channel, then to onError");
   * });
   * engine.turn();
   * ```
   *
   * @default {false}
   */
  channels?: boolean;
  /**
   * Called with every step: verbs, system calls, kernel events, handlers. `true`
   * prints them to standard error, in the form of strace(1):
   *
   * ```txt
   * 0.002561 epoll_ctl(9, EPOLL_CTL_ADD, 10, EPOLLIN|EPOLLRDHUP|EPOLLET) = 0
   * 0.002704 epoll_wait(9, [6144 bytes], 512, -1) = 1
   * 0.002755 event 10: EPOLLIN
   * 0.002811 read handler of 10 (user) begins
   * 0.002874   read(10, [8 bytes]) = 8
   * 0.002899 read handler of 10 (user) took 0.077 ms
   * ```
   *
   * The bytes that pass are not shown. What the function throws reaches the
   * runtime as an uncaught error, and not the engine.
   *
   * @example Only what the kernel reports
   * ```ts
   * import { Engine, type TraceEntry } from "@edgewise/epoll";
   *
   * const events: TraceEntry[] = [];
   * using engine = new Engine({
   *   trace(entry) {
   *     if (entry.kind === "event") events.push(entry);
   *   },
   * });
   * const listener = engine.listen({ port: 0 }, {});
   * engine.connect({ port: listener.port }, {});
   * engine.turn();
   * console.log(events.map(({ text }) => text)); // "event 6: EPOLLIN", …
   * ```
   *
   * @default {false}
   */
  trace?: boolean | ((entry: TraceEntry) => void);
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

/** The limits that options set. Throws a RangeError for one out of its range. */
export function engineLimits(options: EngineOptions): LoopLimits {
  const { eventsMax = 512, dispatchMax = 1024, spinUs = 0 } = options;
  const { changesMax = Math.min(4 * eventsMax, MAX_MAX) } = options;
  checkMax("eventsMax", eventsMax);
  checkMax("changesMax", changesMax);
  checkMax("dispatchMax", dispatchMax);
  if (!Number.isInteger(spinUs) || spinUs < 0 || spinUs > SPIN_MAX_US) {
    throw new RangeError(
      `Cannot create an engine: spinUs must be an integer from 0 to ${SPIN_MAX_US}, and is ${spinUs}`,
    );
  }
  return { eventsMax, changesMax, dispatchMax, spinUs };
}

/** The longest time before a wait. */
const SPIN_MAX_US: number = 10_000;

/** The most that a maximum can be. */
const MAX_MAX: number = 0xffffff;

/** Throws a RangeError for what is no maximum. */
function checkMax(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > MAX_MAX) {
    throw new RangeError(
      `Cannot create an engine: ${name} must be an integer from 1 to ${MAX_MAX}, and is ${value}`,
    );
  }
}
