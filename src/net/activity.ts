/**
 * When a connection was last active, and its timeouts: one timer for all of
 * them, which looks at what has happened since. A message costs neither a
 * system call nor a look at the clock: the loop's own readings are noted.
 *
 * @module
 */

import type { EngineParts } from "../parts.ts";
import { type Instant, Timer } from "../timers.ts";
import { SHUTDOWN_QUEUE, type Task, TASK_WORK } from "../work_queue.ts";

/**
 * What a timeout waits for: anything at all (`"idle"`), something to read while
 * the connection reads, or room for what is buffered while something is.
 */
export type TimeoutKind = "idle" | "read" | "write";

const KINDS: readonly TimeoutKind[] = ["idle", "read", "write"];

/** Timers of many connections share their wake-ups within this time. */
const SLACK_MAX_MS = 50;
/** The part of a timeout that may be added for that, at the most. */
const SLACK_SHARE = 0.1;
/** A loop that looks this part of a timeout too late was held up. */
const HELD_UP_SHARE = 0.5;

/** A connection, as far as its timeouts need it. */
export interface Watched {
  /** Whether it waits for something to read. */
  readonly reading: boolean;
  /** Whether something waits to be sent. */
  readonly sending: boolean;
  /** A timeout has passed. */
  timedOut(kind: TimeoutKind): void;
}

/** Notes what a connection does, and watches its timeouts. */
export class Activity implements Task {
  readonly source: Watched;
  /** The turn of the loop in which the connection was last active. */
  turn: number;

  readonly #parts: EngineParts;
  readonly #timeouts: Record<TimeoutKind, number> = {
    idle: Infinity,
    read: Infinity,
    write: Infinity,
  };
  #received: Instant;
  #sent: Instant;
  #timer: Timer | null = null;
  #shortestMs = Infinity;
  /** When the timer was to look. */
  #looksMs = Infinity;
  #queued = false;

  constructor(source: Watched, parts: EngineParts) {
    this.source = source;
    this.#parts = parts;
    this.turn = parts.metrics.turns;
    this.#received = parts.timers.instant;
    this.#sent = parts.timers.instant;
  }

  /** Something arrived, or is waited for from now on. */
  received(): void {
    this.turn = this.#parts.metrics.turns;
    this.#received = this.#parts.timers.instant;
  }

  /** Something was sent, or is offered from now on. */
  sent(): void {
    this.turn = this.#parts.metrics.turns;
    this.#sent = this.#parts.timers.instant;
  }

  /** Sets one timeout; Infinity for none. All are measured from now on. */
  set(kind: TimeoutKind, timeoutMs: number): void {
    this.#timeouts[kind] = timeoutMs;
    const { idle, read, write } = this.#timeouts;
    this.#timer?.cancel();
    this.#shortestMs = Math.min(idle, read, write);
    if (this.#shortestMs === Infinity) return;
    const slackMs = Math.min(SLACK_MAX_MS, this.#shortestMs * SLACK_SHARE);
    const look = () => this.#look();
    this.#timer = new Timer(
      this.#parts,
      this.#shortestMs,
      look,
      false,
      slackMs,
    );
    this.#restart();
    this.#looksMs = this.#received.ms + this.#shortestMs;
  }

  /** The connection is closed, or somebody else's. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** What has arrived meanwhile has been read: whether a timeout has passed. */
  run(): number {
    this.#queued = false;
    if (this.#timer === null) return 0;
    const nowMs = this.#parts.timers.nowMs;
    const passed = KINDS.find((kind) => this.#deadlineMs(kind) <= nowMs);
    if (passed !== undefined) this.#restart();
    this.#wait(nowMs);
    if (passed === undefined) return 0;
    this.source.timedOut(passed);
    return 1;
  }

  #look(): void {
    const nowMs = this.#parts.timers.nowMs;
    // What was done while the loop was held up is noted at the time before.
    const lateMs = nowMs - this.#looksMs;
    if (lateMs > this.#shortestMs * HELD_UP_SHARE) this.#restart();
    if (this.#nearestMs() > nowMs) return this.#wait(nowMs);
    if (this.#queued) return;
    this.#queued = true;
    this.#parts.queues.push(SHUTDOWN_QUEUE, this, TASK_WORK);
  }

  #restart(): void {
    this.#received = this.#parts.timers.instant;
    this.#sent = this.#parts.timers.instant;
  }

  /** A timeout that does not run now may begin to at any time: look in between. */
  #wait(nowMs: number): void {
    const nearestMs = Math.min(this.#nearestMs(), nowMs + this.#shortestMs);
    this.#looksMs = nearestMs;
    this.#timer?.reset(nearestMs - nowMs);
  }

  #nearestMs(): number {
    return Math.min(
      this.#deadlineMs("idle"),
      this.#deadlineMs("read"),
      this.#deadlineMs("write"),
    );
  }

  #deadlineMs(kind: TimeoutKind): number {
    const timeoutMs = this.#timeouts[kind];
    switch (kind) {
      case "idle":
        return Math.max(this.#received.ms, this.#sent.ms) + timeoutMs;
      case "read":
        return this.source.reading ? this.#received.ms + timeoutMs : Infinity;
      case "write":
        return this.source.sending ? this.#sent.ms + timeoutMs : Infinity;
    }
  }
}
