/**
 * What the parts of an engine share: the kernel's calls, the queues, the
 * counters. Internal; `Loop` is it, and hands itself to each part.
 *
 * @module
 */

import type { SystemCalls } from "../ffi/mod.ts";
import type { Changes } from "./changes.ts";
import type { FdEvent } from "./fd_event.ts";
import type { MutableMetrics } from "./metrics.ts";
import type { ReceiveBuffer } from "./net/receive_buffer.ts";
import type { Registry } from "./registry.ts";
import type { Timers } from "./timers.ts";
import type { TriggerRules } from "./trigger.ts";
import type { Task, WorkQueues } from "./work_queue.ts";

/** The shared parts of one engine. */
export interface EngineParts {
  readonly calls: SystemCalls;
  readonly rules: TriggerRules;
  readonly metrics: MutableMetrics;
  readonly registry: Registry;
  readonly changes: Changes;
  readonly queues: WorkQueues;
  readonly timers: Timers;
  readonly receive: ReceiveBuffer;
  readonly sources: WorkSource[];
  /** Descriptors whose handlers are due once the kernel has been asked. */
  readonly again: FdEvent[];
  /** Something was set or queued that the next turn must see to. */
  touched(): void;
  /** Tells the engine's `onError`, if there is one, of what stops nothing. */
  report(error: unknown, source: object): void;
  /** Ends `run()` or `start()`. */
  stop(): void;
}

/** Work that reaches an engine through memory and not through a descriptor. */
export interface WorkSource extends Task {
  /**
   * Called before a wait, and when a turn ends: from here on others wake the
   * engine. Returns true if there is work already: do not wait.
   */
  sleep(): boolean;
  /**
   * Called after a wait: nobody needs to wake the engine. Returns true if there
   * is work and it is not queued yet.
   */
  wake(): boolean;
  /** Makes the engine's descriptor readable, for work that is there already. */
  ring(): void;
  /** The engine is closing. */
  close(): void;
}
