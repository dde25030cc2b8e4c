/**
 * Running beside the runtime's own event loop: rounds that do not wait while
 * there is work, and one wait on another thread while there is none.
 *
 * @module
 */

import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  immediately,
  SystemError,
} from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import type { Loop } from "./loop.ts";
import { watchOwn } from "./own_event.ts";
import { triggerRules } from "./trigger.ts";
import { writeEventfd } from "./wakeup.ts";
import { FAST } from "./work_queue.ts";

/** How long a round goes on to run handlers before the rest of this thread has its turn. */
const ROUND_MS = 0.5;
/** Handlers run between two looks at the clock. */
const HANDLERS_BETWEEN_LOOKS = 4;

/**
 * A thread that is never idle looks at its sockets only every 61 times that it
 * goes round (Deno 2.9), and a fetch has to wait for several such looks. So the
 * others have a turn for each share of the time that has gone by, in rounds and
 * in the promises after them, as if all rounds were short.
 */
const TURNS_FOR_A_LOOK = 61;
const LOOK_EVERY_MS = 4;

/**
 * The bell's event: being reported is all that it is for. It stays in the kernel
 * while the engine closes, so that it can end the wait under way.
 */
const BELL: OwnHandlers = { owner: "Engine", engineClosed() {} };

/** Runs a loop while the runtime's promises, timers and messages progress. */
export class Beside {
  readonly #loop: Loop;
  /** An eventfd that makes the loop's descriptor readable. */
  readonly #bell: FdEvent;
  #inRound = false;
  /** When the wait under way ends by itself; null: none is under way. */
  #waitsUntilMs: number | null = null;
  #rung = false;
  #looksSoon = false;

  constructor(loop: Loop) {
    const fd = loop.calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", -fd);
    this.#loop = loop;
    this.#bell = watchOwn(loop, fd, triggerRules("edge"), BELL);
    this.#bell.readQueue = FAST;
  }

  /** Makes rounds until the loop is stopped or closed. */
  async run(): Promise<void> {
    const loop = this.#loop;
    let beganMs = loop.calls.now();
    while (this.#goesOn()) {
      const ran = this.#round();
      if (!this.#goesOn()) return;
      if (ran === 0 && loop.idle()) {
        await this.#wait();
        beganMs = loop.calls.now();
      } else {
        const nowMs = loop.calls.now();
        const share = (nowMs - beganMs) / LOOK_EVERY_MS;
        beganMs = nowMs;
        await others(Math.ceil(Math.min(share, 1) * TURNS_FOR_A_LOOK));
      }
    }
  }

  /**
   * A verb or a timer was used, or work was queued. Outside a round that takes
   * effect before this thread yields: several verbs in a row make one commit.
   */
  touched(): void {
    if (this.#inRound || this.#looksSoon) return;
    this.#looksSoon = true;
    queueMicrotask(this.#look);
  }

  /** Ends the wait under way, if there is one. */
  end(): void {
    if (this.#waitsUntilMs === null || this.#rung) return;
    this.#rung = true;
    writeEventfd(this.#loop.calls, this.#bell.fd);
  }

  close(): void {
    this.#bell.close();
  }

  #goesOn(): boolean {
    return !this.#loop.stopping && !this.#loop.closed;
  }

  /** Polls, and runs handlers for a while. Returns how many. */
  #round(): number {
    const loop = this.#loop;
    this.#inRound = true;
    try {
      loop.poll(0);
      let ran = loop.dispatch(HANDLERS_BETWEEN_LOOKS);
      if (loop.queues.length === 0) return ran;
      const endMs = loop.calls.now() + ROUND_MS;
      do ran += loop.dispatch(HANDLERS_BETWEEN_LOOKS); while (
        loop.queues.length !== 0 && this.#goesOn() && loop.calls.now() < endMs
      );
      return ran;
    } finally {
      this.#inRound = false;
    }
  }

  /** What was done outside a round takes effect. */
  readonly #look = (): void => {
    const loop = this.#loop;
    this.#looksSoon = false;
    if (loop.closed || this.#bell.closed) return;
    loop.changes.commit();
    if (this.#waitsUntilMs === null) return;
    const earlier = loop.timers.nearestMs() < this.#waitsUntilMs;
    if (earlier || loop.hasWork()) this.end();
  };

  async #wait(): Promise<void> {
    const { calls, epfd, timers } = this.#loop;
    const nearestMs = timers.nearestMs();
    const timeoutMs = nearestMs === Infinity
      ? -1
      : Math.max(nearestMs - calls.now(), 0);
    this.#waitsUntilMs = nearestMs;
    this.#rung = false;
    try {
      await calls.waitReadable(epfd, timeoutMs);
    } finally {
      this.#waitsUntilMs = null;
    }
  }
}

/** Lets everything else of this thread have so many turns. */
export function others(turns: number): Promise<void> {
  return new Promise((resolve) => {
    const next = () => {
      if (--turns > 0) immediately(next);
      else resolve();
    };
    immediately(next);
  });
}
