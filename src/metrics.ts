/**
 * What an engine counts.
 *
 * @module
 */

import type { EngineTimings } from "./watch/timings.ts";
import {
  ACCEPT_QUEUE,
  CLOSE_QUEUE,
  CONNECT_QUEUE,
  FAST,
  READ_QUEUE,
  SHUTDOWN_QUEUE,
  SOCKET_QUEUE,
  type WorkQueues,
  WRITE_QUEUE,
} from "./work_queue.ts";

/** Items that wait in each of an engine's work queues, in their order. */
export interface QueueDepths {
  /** Failed changes, expired timers, wake-ups. */
  readonly fast: number;
  /** Listeners with connections to accept. */
  readonly accept: number;
  /** Read handlers. */
  readonly read: number;
  /** Sockets just made. */
  readonly socket: number;
  /** Connections being established. */
  readonly connect: number;
  /** Write handlers. */
  readonly write: number;
  /** Connections shutting down. */
  readonly shutdown: number;
  /** Last callbacks of what has been closed. */
  readonly close: number;
}

/** Counters of an engine, read with `engine.metrics`. They only grow. */
export interface EngineMetrics {
  /** Rounds of the loop: waits for kernel events. */
  readonly turns: number;
  /** Kernel events received, wake-ups included. */
  readonly events: number;
  /** epoll_ctl calls made for registered descriptors. */
  readonly changesMade: number;
  /**
   * Changes asked for by verbs that needed no epoll_ctl of their own: they went
   * with another of the same descriptor, or were undone before the commit.
   */
  readonly changesSaved: number;
  /**
   * Kernel events and queued handlers that were dropped, because their
   * descriptor was closed, or their direction disabled, in the meantime.
   */
  readonly staleEvents: number;
  /** Times that the engine was woken through its eventfd. */
  readonly wakeups: number;
  /** Messages received from other workers. */
  readonly posts: number;
  /** How much waits in the work queues at this moment; a copy. */
  readonly queues: QueueDepths;
  /** Where the time goes, if the engine was made with `timings`; else null. */
  readonly timings: EngineTimings | null;
}

/** The same, for the parts of the engine that count. */
export class MutableMetrics implements EngineMetrics {
  turns = 0;
  events = 0;
  changesMade = 0;
  changesSaved = 0;
  staleEvents = 0;
  wakeups = 0;
  posts = 0;
  timings: EngineTimings | null = null;
  readonly #queues: WorkQueues;

  constructor(queues: WorkQueues) {
    this.#queues = queues;
  }

  get queues(): QueueDepths {
    const { all } = this.#queues;
    return {
      fast: all[FAST].length,
      accept: all[ACCEPT_QUEUE].length,
      read: all[READ_QUEUE].length,
      socket: all[SOCKET_QUEUE].length,
      connect: all[CONNECT_QUEUE].length,
      write: all[WRITE_QUEUE].length,
      shutdown: all[SHUTDOWN_QUEUE].length,
      close: all[CLOSE_QUEUE].length,
    };
  }
}
