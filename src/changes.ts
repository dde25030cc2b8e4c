/**
 * Changes of the interest list, batched and coalesced. Verbs only set a wish;
 * a commit compares it with what the kernel has, and makes one epoll_ctl where
 * the two differ.
 *
 * @module
 */

import {
  EBADF,
  EEXIST,
  ENOENT,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvents,
  EPOLLEXCLUSIVE,
  SystemError,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import { changeFailed } from "./interest.ts";
import type { MutableMetrics } from "./metrics.ts";
import { ABSENT } from "./states.ts";

/** The changes that wait for the next commit, and the way to the kernel. */
export class Changes {
  readonly #calls: SystemCalls;
  readonly #epfd: number;
  readonly #metrics: MutableMetrics;
  /** Kept at its length: an array that is emptied is allocated again. */
  readonly #pending: (FdEvent | null)[] = [];
  #length = 0;
  readonly #pendingMax: number;
  readonly #entry = new EpollEvents(1);
  #callsMade = 0;
  #failed = false;

  constructor(
    calls: SystemCalls,
    epfd: number,
    pendingMax: number,
    metrics: MutableMetrics,
  ) {
    this.#calls = calls;
    this.#epfd = epfd;
    this.#pendingMax = pendingMax;
    this.#metrics = metrics;
  }

  /** Events that the next commit will look at. */
  get length(): number {
    return this.#length;
  }

  /** Takes note that a verb changed the wish of an event, or asks to re-arm it. */
  add(event: FdEvent): void {
    if (event.pending) {
      this.#metrics.changesSaved++;
      return;
    }
    if (this.#length === this.#pendingMax) this.commit();
    event.pending = true;
    this.#pending[this.#length++] = event;
  }

  /** Applies what is pending. Returns the epoll_ctl calls made. */
  commit(): number {
    if (this.#length === 0) return 0;
    const before = this.#callsMade;
    for (let index = 0; index < this.#length; index++) {
      const event = this.#pending[index] as FdEvent;
      this.#pending[index] = null;
      event.pending = false;
      if (event.changing) this.#apply(event);
      else this.#metrics.changesSaved++;
    }
    this.#length = 0;
    return this.#callsMade - before;
  }

  /** Whether a change has failed since the last call. */
  takeFailure(): boolean {
    const failed = this.#failed;
    this.#failed = false;
    return failed;
  }

  /** Takes an event out of the kernel at once, whatever is pending for it. */
  remove(event: FdEvent): void {
    event.wanted = ABSENT;
    event.forced = 0;
    if (event.kernel !== ABSENT) this.#delete(event);
  }

  #apply(event: FdEvent): void {
    event.forced = 0;
    if (event.wanted === ABSENT) return this.#delete(event);
    if (event.kernel === ABSENT) return this.#set(event, EPOLL_CTL_ADD);
    // The kernel refuses any MOD of, or to, an exclusive entry.
    if (((event.kernel | event.wanted) & EPOLLEXCLUSIVE) !== 0) {
      this.#delete(event);
      return this.#set(event, EPOLL_CTL_ADD);
    }
    this.#set(event, EPOLL_CTL_MOD);
  }

  #delete(event: FdEvent): void {
    const result = this.#control(EPOLL_CTL_DEL, event);
    event.kernel = ABSENT;
    // Without an entry there is nothing left to do: that was the wish.
    if (result < 0 && result !== -ENOENT && result !== -EBADF) {
      this.#fail(event, -result);
    }
  }

  #set(event: FdEvent, operation: number): void {
    let result = this.#control(operation, event);
    if (result === -ENOENT && operation === EPOLL_CTL_MOD) {
      event.kernel = ABSENT;
      result = this.#control(EPOLL_CTL_ADD, event);
    } else if (result === -EEXIST && operation === EPOLL_CTL_ADD) {
      // Somebody else's entry for the number is taken over, or removed below.
      event.kernel = event.wanted;
      if ((event.wanted & EPOLLEXCLUSIVE) !== 0) {
        this.#control(EPOLL_CTL_DEL, event);
        result = this.#control(EPOLL_CTL_ADD, event);
      } else result = this.#control(EPOLL_CTL_MOD, event);
    }
    if (result >= 0) {
      event.kernel = event.wanted;
      return;
    }
    if (event.kernel !== ABSENT) this.#control(EPOLL_CTL_DEL, event);
    event.kernel = ABSENT;
    this.#fail(event, -result);
  }

  #fail(event: FdEvent, errno: number): void {
    this.#failed = true;
    changeFailed(event, new SystemError("epoll_ctl", errno, { fd: event.fd }));
  }

  #control(operation: number, event: FdEvent): number {
    this.#entry.set(0, event.wanted, event.fd, event.generation);
    this.#callsMade++;
    this.#metrics.changesMade++;
    return this.#calls.epoll_ctl(
      this.#epfd,
      operation,
      event.fd,
      operation === EPOLL_CTL_DEL ? null : this.#entry.words,
    );
  }
}
