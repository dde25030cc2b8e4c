/**
 * What an engine counts.
 *
 * @module
 */

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
}

/** The same, for the parts of the engine that count. */
export type MutableMetrics = {
  -readonly [Name in keyof EngineMetrics]: number;
};

/** All counters at 0. */
export function createMetrics(): MutableMetrics {
  return {
    turns: 0,
    events: 0,
    changesMade: 0,
    changesSaved: 0,
    staleEvents: 0,
    wakeups: 0,
    posts: 0,
  };
}
