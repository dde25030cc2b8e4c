/**
 * The kernel's timers as event sources.
 *
 * @module
 */

import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  EAGAIN,
  EBADF,
  ECANCELED,
  getTimespec,
  setTimespec,
  SystemError,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from "../ffi/mod.ts";
import type { Engine } from "./engine.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import { triggerRules } from "./trigger.ts";
import { FAST } from "./work_queue.ts";

/**
 * A clock of the kernel: `"monotonic"` is set by nobody and stops while the
 * system is suspended, `"boottime"` (Linux 3.15) goes on, `"realtime"` is the
 * wall clock.
 */
export type TimerFdClock = "monotonic" | "realtime" | "boottime";

/** Options of a {@linkcode TimerFd}. */
export interface TimerFdOptions {
  /** The clock that times are of. @default {"monotonic"} */
  clock?: TimerFdClock;
  /**
   * Called when somebody sets the wall clock while an absolute time waits for it
   * (Linux 3.0). The timer counts as not set: set it again. Only for the clock
   * `"realtime"`.
   */
  clockSet?(): void;
}

/** When a {@linkcode TimerFd} expires. Milliseconds, to the nanosecond. */
export interface TimerFdSetting {
  /** How long from now, at least 0. Left out, it is `everyMs`. */
  afterMs?: number;
  /**
   * At what time of the clock, at least 0; a time that has passed expires at
   * once. For `"realtime"` that is what `Date.now()` tells, for the others see
   * {@linkcode TimerFd.now}. Not together with `afterMs`.
   */
  atMs?: number;
  /** The time between further expirations, above 0. Left out, there is one. */
  everyMs?: number;
}

const CLOCKS: Readonly<Record<TimerFdClock, number>> = {
  monotonic: CLOCK_MONOTONIC,
  realtime: CLOCK_REALTIME,
  boottime: CLOCK_BOOTTIME,
};

/** 285,000 years. The kernel itself takes all above 292 years for never. */
const TIME_MAX_MS = Number.MAX_SAFE_INTEGER;

// Where `struct itimerspec` has its two times, in words.
const INTERVAL = 0;
const VALUE = 4;

/**
 * A timer of the kernel with a descriptor of its own (timerfd_create(2)), for
 * what {@linkcode Engine.timer} has not: absolute times, other clocks, and the
 * count of expirations, those that were missed included.
 *
 * @example Every 2 ms, missed or not
 * ```ts
 * import { Engine, TimerFd } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * let expired = 0;
 * const ticks = new TimerFd(engine, (expirations) => {
 *   expired += expirations;
 *   if (expired >= 5) engine.stop();
 * });
 * ticks.set({ everyMs: 2 });
 * engine.run();
 * ```
 *
 * @example At a time of the wall clock
 * ```ts
 * import { Engine, TimerFd } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const atMs = Date.now() + 10;
 * const alarm = new TimerFd(engine, () => engine.stop(), {
 *   clock: "realtime",
 *   clockSet: () => alarm.set({ atMs }),
 * });
 * alarm.set({ atMs });
 * engine.run();
 * ```
 */
export class TimerFd implements Disposable {
  readonly #parts: EngineParts;
  readonly #handler: (expirations: number) => void;
  readonly #clockSet: (() => void) | undefined;
  readonly #clock: number;
  readonly #event: FdEvent;
  readonly #expirations = new Uint32Array(2);
  readonly #bytes = new Uint8Array(this.#expirations.buffer);

  /**
   * Opens a timer, which is not set yet. The engine closes it with itself.
   *
   * @param handler Called with the number of expirations since the last call, at
   * least 1: a loop that was held up for several periods is called back once.
   * @throws {TypeError} If there is no such clock, or it is one that nobody sets
   * and there is `clockSet`.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` from timerfd_create(2);
   * `EBADF` if the engine is closed.
   */
  constructor(
    engine: Engine,
    handler: (expirations: number) => void,
    options: TimerFdOptions = {},
  ) {
    const { clock = "monotonic", clockSet } = options;
    this.#clock = clockNumber(clock);
    if (clockSet !== undefined && clock !== "realtime") {
      throw new TypeError(
        `Cannot watch for the clock being set: nobody sets ${clock}, it must be "realtime"`,
      );
    }
    this.#parts = engine.parts;
    this.#handler = handler;
    this.#clockSet = clockSet;
    const fd = this.#parts.calls.timerfd_create(
      this.#clock,
      TFD_CLOEXEC | TFD_NONBLOCK,
    );
    if (fd < 0) throw new SystemError("timerfd_create", fd);
    const handlers: OwnHandlers = {
      owner: "TimerFd",
      read: () => this.#read(),
      engineClosed: () => this.close(),
    };
    // The count is read each time, so that each expiration after is a new edge.
    const edge = triggerRules("edge");
    this.#event = watchOwn(this.#parts, fd, edge, handlers, this);
    this.#event.readQueue = FAST;
  }

  /** The descriptor. */
  get fd(): number {
    return this.#event.fd;
  }

  /** Whether the timer is closed. */
  get closed(): boolean {
    return this.#event.closed;
  }

  /** The time of the timer's clock, in milliseconds with a fraction. */
  now(): number {
    const time = new Int32Array(4);
    const result = this.#parts.calls.clock_gettime(this.#clock, time);
    if (result < 0) throw new SystemError("clock_gettime", result);
    return getTimespec(time, 0);
  }

  /**
   * Sets the timer, whether or not it was set. Expirations that the handler was
   * not told of are forgotten.
   *
   * @throws {RangeError} If a time is NaN, negative or not finite, or `everyMs`
   * is 0.
   * @throws {TypeError} If there is no time, or `afterMs` beside `atMs`.
   * @throws {SystemError} `EBADF` if the timer is closed.
   */
  set(setting: TimerFdSetting): void {
    const { afterMs, atMs, everyMs } = setting;
    if (afterMs !== undefined && atMs !== undefined) {
      throw new TypeError("Cannot set the timer: it has both afterMs and atMs");
    }
    const firstMs = atMs ?? afterMs ?? everyMs;
    if (firstMs === undefined) {
      throw new TypeError(
        "Cannot set the timer: it needs one of afterMs, atMs and everyMs",
      );
    }
    checkTime(atMs === undefined ? "afterMs" : "atMs", firstMs);
    const times = new Int32Array(8);
    setTimespec(times, VALUE, Math.min(firstMs, TIME_MAX_MS));
    if (everyMs !== undefined) {
      checkTime("everyMs", everyMs);
      if (everyMs === 0) {
        throw new RangeError("Cannot set the timer: everyMs must be above 0");
      }
      setTimespec(times, INTERVAL, Math.min(everyMs, TIME_MAX_MS));
    }
    // To the kernel 0 is no time but the wish to stop.
    if (firstMs === 0) times[VALUE + 2] = 1;
    this.#settime(atMs === undefined ? 0 : this.#absoluteFlags(), times);
  }

  /** Stops the timer. The handler is not called until it is set again. */
  cancel(): void {
    this.#settime(0, new Int32Array(8));
  }

  /** Closes the timer. The handler is not called again. Harmless if repeated. */
  close(): void {
    this.#event.close();
  }

  /** Closes the timer. */
  [Symbol.dispose](): void {
    this.close();
  }

  #absoluteFlags(): number {
    return this.#clockSet === undefined
      ? TFD_TIMER_ABSTIME
      : TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  }

  #settime(flags: number, times: Int32Array): void {
    const { fd } = this;
    const result = this.closed
      ? -EBADF
      : this.#parts.calls.timerfd_settime(fd, flags, times);
    // ECANCELED: the clock was set since the last setting. This one holds.
    if (result < 0 && result !== -ECANCELED) {
      throw new SystemError("timerfd_settime", result, { fd });
    }
  }

  #read(): void {
    const count = this.#event.read(this.#bytes);
    // Set again, or stopped, since the kernel reported it.
    if (count === -EAGAIN) return;
    if (count === -ECANCELED) return this.#clockSet?.();
    if (count < 0) throw new SystemError("read", count, { fd: this.fd });
    const [low, high] = this.#expirations;
    this.#handler(low + high * 2 ** 32);
  }
}

function clockNumber(clock: TimerFdClock): number {
  if (Object.hasOwn(CLOCKS, clock)) return CLOCKS[clock];
  throw new TypeError(
    `Cannot open a timer: the clock is ${clock}, not one of ${
      Object.keys(CLOCKS).join(", ")
    }`,
  );
}

function checkTime(name: string, valueMs: number): void {
  if (!Number.isFinite(valueMs) || valueMs < 0) {
    throw new RangeError(
      `Cannot set the timer: ${name} must be finite and not negative, and is ${valueMs}`,
    );
  }
}
