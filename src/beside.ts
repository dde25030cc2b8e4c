/**
 * Running beside the runtime's own event loop: turns that do not wait while
 * there is work, and one wait on another thread while there is none.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CTL_ADD,
  EPOLLET,
  EpollEvents,
  EPOLLIN,
  SystemError,
} from "../ffi/mod.ts";
import type { Loop } from "./loop.ts";
import { writeEventfd } from "./wakeup.ts";

/** A slot that no event has: the wake-up itself is no news. */
const NO_SLOT = -1;

/** Runs a loop while the runtime's promises, timers and messages progress. */
export class Beside {
  readonly #loop: Loop;
  readonly #eventfd: number;
  /** When the wait under way ends by itself; null: none is under way. */
  #waitingUntilMs: number | null = null;
  #looking = false;
  #ended = false;

  constructor(loop: Loop) {
    this.#loop = loop;
    const { calls } = loop;
    this.#eventfd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.#eventfd < 0) throw new SystemError("eventfd", -this.#eventfd);
    const entry = new EpollEvents(1);
    entry.set(0, EPOLLIN | EPOLLET, NO_SLOT, 0);
    const result = calls.epoll_ctl(
      loop.epfd,
      EPOLL_CTL_ADD,
      this.#eventfd,
      entry.words,
    );
    if (result < 0) {
      this.close();
      throw new SystemError("epoll_ctl", -result, { fd: this.#eventfd });
    }
  }

  /** Makes turns until the loop is stopped or closed. */
  async run(): Promise<void> {
    const loop = this.#loop;
    while (!loop.stopping && !loop.closed) {
      const ran = loop.turn(0);
      if (loop.stopping || loop.closed) return;
      if (ran === 0 && loop.idle()) await this.#wait();
      else await nextRound();
    }
  }

  /**
   * A verb or a timer was used. While the wait is under way that is outside a
   * turn, and takes effect before this thread yields.
   */
  touched(): void {
    if (this.#waitingUntilMs === null || this.#looking) return;
    this.#looking = true;
    queueMicrotask(() => {
      this.#looking = false;
      if (this.#waitingUntilMs === null || this.#loop.closed) return;
      this.#loop.changes.commit();
      if (
        this.#loop.queues.length !== 0 ||
        this.#loop.timers.nearestMs() < this.#waitingUntilMs
      ) this.end();
    });
  }

  /** Ends the wait under way, if there is one. */
  end(): void {
    if (this.#waitingUntilMs === null || this.#ended) return;
    this.#ended = true;
    writeEventfd(this.#loop.calls, this.#eventfd);
  }

  close(): void {
    this.#loop.calls.close(this.#eventfd);
  }

  async #wait(): Promise<void> {
    const { calls, epfd, timers } = this.#loop;
    const nearestMs = timers.nearestMs();
    this.#waitingUntilMs = nearestMs;
    this.#ended = false;
    try {
      const timeoutMs = nearestMs === Infinity
        ? -1
        : Math.max(nearestMs - calls.now(), 0);
      await calls.waitReadable(epfd, timeoutMs);
    } finally {
      this.#waitingUntilMs = null;
    }
  }
}

/** Lets everything else of this thread have its turn. */
function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
