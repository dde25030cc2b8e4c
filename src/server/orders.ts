/**
 * What a server tells its workers: a task at their start, and to drain.
 *
 * @module
 */

import type { ListenOptions } from "../net/options.ts";

/** What a worker is started with. */
export interface WorkerTask {
  readonly index: number;
  /** The server's socket that it accepts from; null: connections are handed over. */
  readonly socket: number | null;
  /** What concerns connections of the options. */
  readonly listen: ListenOptions;
  readonly data: unknown;
}

/** No new connections, and an end once the last one is closed. */
export interface DrainOrder {
  /** When those that are open still are closed. */
  readonly timeoutMs: number;
}

/** An order as a message. */
export function drainOrder(timeoutMs: number): Uint8Array {
  return new Uint8Array(Float64Array.of(timeoutMs).buffer);
}

/** What a message says. */
export function readOrder(message: Uint8Array): DrainOrder {
  // A message may begin anywhere in the lane: a Float64Array must not.
  const [timeoutMs] = new Float64Array(message.slice().buffer);
  return { timeoutMs };
}
