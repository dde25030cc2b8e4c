/**
 * Running beside the runtime's own event loop: rounds that do not wait while
 * there is work, and one wait on another thread while there is none.
 *
 * @module
 */

import { builtin, EFD_CLOEXEC, EFD_NONBLOCK, SystemError } from "../ffi/mod.ts";
import { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import type { Loop } from "./loop.ts";
import { triggerRules } from "./trigger.ts";
import { writeEventfd } from "./wakeup.ts";
import { FAST } from "./work_queue.ts";

/** How long a round goes on to run handlers before the rest of this thread has its turn. */
const ROUND_MS = 0.5;
/** Handlers run between two looks at the clock. */
const HANDLERS_BETWEEN_LOOKS = 4;

/**
 * How long rounds may follow each other without a wait, and how long they then
 * pause. A thread that is never idle sees its sockets every 61 rounds only (Deno
 * 2.9): a fetch would take 20 times as long. The pause has to outlast the way
 * into idleness; the kernel makes it some 60 µs.
 */
const BUSY_MS = 2;
const PAUSE_MS = 0.01;
/** No descriptor is ready before the pause is over. */
const NOTHING = -1;

/**
 * The bell's event: being reported is all that it is for. It stays in the kernel
 * while the engine closes, so that it can end the wait under way.
 */
const BELL: OwnHandlers = { engineClosed() {} };

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
  /** When this thread was idle last. */
  #idleMs = 0;

  constructor(loop: Loop) {
    const fd = loop.calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", -fd);
    this.#loop = loop;
    this.#bell = new FdEvent(fd, BELL, loop, triggerRules("edge"));
    this.#bell.readQueue = FAST;
    loop.registry.add(this.#bell);
    this.#bell.enableRead();
  }

  /** Makes rounds until the loop is stopped or closed. */
  async run(): Promise<void> {
    const loop = this.#loop;
    while (this.#goesOn()) {
      const ran = this.#round();
      if (!this.#goesOn()) return;
      if (ran === 0 && loop.idle()) await this.#wait();
      else if (loop.calls.now() - this.#idleMs >= BUSY_MS) await this.#pause();
      else await others();
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
      this.#idleMs = calls.now();
    }
  }

  /** Is idle, for once. */
  async #pause(): Promise<void> {
    const { calls } = this.#loop;
    await calls.waitReadable(NOTHING, PAUSE_MS);
    this.#idleMs = calls.now();
  }
}

/** Lets everything else of this thread have its turn. */
function others(): Promise<void> {
  const { setImmediate } = builtin("node:timers");
  return new Promise((resolve) => setImmediate(resolve));
}
