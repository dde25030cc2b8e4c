/**
 * The eight priority queues of NGINX Unit's engine. Scanning kernel events only
 * fills them; handlers run when they are drained. A queue in hand is drained
 * first, of what it held when its turn came; then the fast queue; then the cursor
 * moves on to the next.
 *
 * @module
 */

import type { FdEvent } from "./fd_event.ts";
import type { Timer } from "./timers.ts";

/** Failed changes, expired timers, wake-ups. */
export const FAST = 0;
/** Listeners with connections to accept. */
export const ACCEPT_QUEUE = 1;
/** Read handlers. */
export const READ_QUEUE = 2;
/** Sockets just made. */
export const SOCKET_QUEUE = 3;
/** Connections being established. */
export const CONNECT_QUEUE = 4;
/** Write handlers. */
export const WRITE_QUEUE = 5;
/** Connections shutting down. */
export const SHUTDOWN_QUEUE = 6;
/** Last callbacks of what has been closed. */
export const CLOSE_QUEUE = 7;

const QUEUES = 8;

/** An item's kind: the read handler of an `FdEvent`. Also its `due` bit. */
export const READ_WORK = 1;
/** The write handler of an `FdEvent`. */
export const WRITE_WORK = 2;
/** The error handler of an `FdEvent`. */
export const ERROR_WORK = 4;
/** An expired `Timer`. */
export const TIMER_WORK = 8;
/** A `Task`. */
export const TASK_WORK = 16;

/** A piece of work of the engine's own parts. */
export interface Task {
  /** What errors are reported to come from. */
  readonly source: object;
  /** Runs the task, once for each time that it was queued; returns the handlers run. */
  run(): number;
}

/** What a queue holds; the kind that stands beside it tells them apart. */
export type Work = FdEvent | Timer | Task;

/** One queue: a ring that doubles when it is full and keeps its size. */
export class WorkQueue {
  #work: (Work | null)[];
  #kinds: Uint8Array;
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#work = new Array(capacity).fill(null);
    this.#kinds = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(work: Work, kind: number): void {
    if (this.#length === this.#work.length) this.#grow();
    const tail = (this.#head + this.#length) & (this.#work.length - 1);
    this.#work[tail] = work;
    this.#kinds[tail] = kind;
    this.#length++;
  }

  /** The kind of the first item; there must be one. */
  get kind(): number {
    return this.#kinds[this.#head];
  }

  /** Takes the first item; there must be one. */
  shift(): Work {
    const work = this.#work[this.#head] as Work;
    this.#work[this.#head] = null;
    this.#head = (this.#head + 1) & (this.#work.length - 1);
    this.#length--;
    return work;
  }

  #grow(): void {
    const from = this.#head;
    const work = this.#work.slice(from).concat(this.#work.slice(0, from));
    const kinds = new Uint8Array(this.#kinds.length * 2);
    kinds.set(this.#kinds.subarray(from));
    kinds.set(this.#kinds.subarray(0, from), this.#kinds.length - from);
    this.#work = work.concat(new Array(work.length).fill(null));
    this.#kinds = kinds;
    this.#head = 0;
  }
}

/** The eight queues and the cursor that goes round them. */
export class WorkQueues {
  /** The queues, by their numbers. */
  readonly all: readonly WorkQueue[];
  /** The queue in hand, and how many of its items its turn is for. */
  #hand: WorkQueue;
  #left = 0;
  #cursor = CLOSE_QUEUE;
  #length = 0;

  /** `capacity` is what each queue holds before it grows, a power of two. */
  constructor(capacity = 64) {
    this.all = Array.from(
      { length: QUEUES },
      () => new WorkQueue(capacity),
    );
    this.#hand = this.all[CLOSE_QUEUE];
  }

  /** Items in all queues, those that have been dropped since included. */
  get length(): number {
    return this.#length;
  }

  push(queue: number, work: Work, kind: number): void {
    this.all[queue].push(work, kind);
    this.#length++;
  }

  /**
   * The queue to take the next item from, or null when all are empty. Take it
   * with `shift()` and report that with `taken()`.
   */
  next(): WorkQueue | null {
    if (this.#left !== 0) return this.#hand;
    if (this.#length !== 0) return this.#nextQueue();
    // What the next wait brings is taken in the queues' order.
    this.#cursor = CLOSE_QUEUE;
    this.#hand = this.all[CLOSE_QUEUE];
    return null;
  }

  /** Counts an item of the queue in hand as gone. */
  taken(): void {
    this.#length--;
    this.#left--;
  }

  /**
   * An item that queues itself again waits for the queue's next turn: however
   * much there is to read, what others have queued is not held up.
   */
  #nextQueue(): WorkQueue {
    const fast = this.all[FAST];
    if (this.#hand === fast || fast.length === 0) {
      do this.#cursor = (this.#cursor + 1) & (QUEUES - 1); while (
        this.all[this.#cursor].length === 0
      );
      this.#hand = this.all[this.#cursor];
    } else this.#hand = fast;
    this.#left = this.#hand.length;
    return this.#hand;
  }
}
