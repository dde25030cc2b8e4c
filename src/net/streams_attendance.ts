/**
 * Who waits for an engine, and how it waits for the kernel accordingly: so that
 * the process lives as long as somebody wants it to, and no longer.
 *
 * @module
 */

import { builtin, systemCalls } from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import { others } from "../beside.ts";

/** The pause between two looks for operations that keep no process alive. */
const LOOK_INTERVAL_MS = 2;

/**
 * Looks, after an operation has begun to wait, before the engine waits on a thread:
 * that takes some 90 microseconds to come back from, and most answers come sooner.
 */
const LOOKS_MAX = 32;

/** A wait on a thread that took no longer could have been a few looks more. */
const SHORT_WAIT_MS = 0.2;

/** How an engine waits for the streams on it. */
export class Attendance {
  /** Called when somebody must be heard while the engine waits. */
  readonly #ring: () => void;
  /** Called when the engine is idle and nothing is open on it. */
  readonly #abandoned: () => void;
  #open = 0;
  #waiting = 0;
  /** Those of `#waiting` that keep the process alive. */
  #held = 0;
  /** As many as have been worth it lately. */
  #looks = LOOKS_MAX;
  #looksLeft = LOOKS_MAX;
  #onThread = false;
  /** Ends the pause under way. */
  #resume: (() => void) | null = null;

  /** How it waits and knows for how long. */
  readonly #calls: Pick<SystemCalls, "waitReadable" | "now">;

  constructor(
    ring: () => void,
    abandoned: () => void,
    calls: Pick<SystemCalls, "waitReadable" | "now"> = systemCalls,
  ) {
    this.#calls = calls;
    this.#ring = ring;
    this.#abandoned = abandoned;
  }

  /** A listener or a connection has been opened. */
  opened(): void {
    this.#open++;
  }

  /** One has been closed. */
  closed(): void {
    if (--this.#open === 0) this.#changed();
  }

  /** An operation waits; whether it keeps the process alive. */
  began(held: boolean): void {
    this.#looksLeft = this.#looks;
    this.#waiting++;
    if (held) this.#held++;
    if (this.#resume !== null) this.#resume();
  }

  /** It waits no more. */
  ended(held: boolean): void {
    this.#waiting--;
    if (held && --this.#held === 0) this.#changed();
  }

  /** So many that wait keep the process alive now, or no longer if negative. */
  hold(count: number): void {
    this.#held += count;
    this.#changed();
  }

  /** The engine's wait, in place of the kernel's alone. */
  async wait(fd: number, timeoutMs: number): Promise<void> {
    if (this.#open === 0) return this.#abandoned();
    if (this.#held === 0) return await this.#pause(timeoutMs);
    if (this.#looksLeft > 0) {
      this.#looksLeft--;
      // The engine looks before it waits again.
      return await others(1);
    }
    this.#onThread = true;
    const beganMs = this.#calls.now();
    try {
      await this.#calls.waitReadable(fd, timeoutMs);
    } finally {
      this.#onThread = false;
      const waitedMs = this.#calls.now() - beganMs;
      this.#looks = waitedMs <= SHORT_WAIT_MS
        ? Math.min(this.#looks * 2, LOOKS_MAX)
        : Math.max(this.#looks >> 1, 1);
    }
  }

  #changed(): void {
    if (this.#resume !== null) this.#resume();
    else if (this.#onThread) this.#ring();
  }

  /** Keeps no process alive. */
  #pause(timeoutMs: number): Promise<void> {
    const { setTimeout, clearTimeout } = builtin("node:timers");
    return new Promise((resolve) => {
      const timer = this.#waiting === 0 && timeoutMs < 0
        ? undefined
        : setTimeout(() => this.#resume?.(), LOOK_INTERVAL_MS).unref();
      this.#resume = () => {
        this.#resume = null;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The part in it of one listener or connection. */
export class Presence {
  readonly #attendance: Attendance;
  #referenced = true;
  #waiting = 0;

  constructor(attendance: Attendance) {
    this.#attendance = attendance;
    attendance.opened();
  }

  began(): void {
    this.#waiting++;
    this.#attendance.began(this.#referenced);
  }

  ended(): void {
    this.#waiting--;
    this.#attendance.ended(this.#referenced);
  }

  ref(): void {
    if (this.#referenced) return;
    this.#referenced = true;
    this.#attendance.hold(this.#waiting);
  }

  unref(): void {
    if (!this.#referenced) return;
    this.#referenced = false;
    this.#attendance.hold(-this.#waiting);
  }

  closed(): void {
    this.#attendance.closed();
  }
}
