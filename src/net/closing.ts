/**
 * How far a connection has come, and its last callbacks: what failed, then that it
 * is closed.
 *
 * @module
 */

import type { SystemError } from "../../ffi/mod.ts";
import { CLOSE_QUEUE, type Task, TASK_WORK } from "../work_queue.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionParts } from "./options.ts";

/** Being established: resolved, or connected. */
export const CONNECTING = 0;
/** Established, or half closed. */
export const OPEN = 1;
/** Closed by the peer or by an error. From here on it counts as closed. */
export const LOST = 2;
/** Closed by the user. */
export const CLOSED = 3;

/** Waits in the close queue, so that no handler runs inside a verb. */
export class Closing implements Task {
  readonly source: Connection;
  readonly #shared: ConnectionParts;
  #error: SystemError | null;

  constructor(
    connection: Connection,
    shared: ConnectionParts,
    error: SystemError | null,
  ) {
    this.source = connection;
    this.#shared = shared;
    this.#error = error;
    this.#queue();
  }

  run(): number {
    const { handlers } = this.#shared;
    const error = this.#error;
    if (error === null) {
      this.#shared.closed?.(this.source);
      if (handlers.close === undefined) return 0;
      handlers.close(this.source);
      return 1;
    }
    this.#error = null;
    // Before the handler, which may throw.
    this.#queue();
    if (handlers.error === undefined) return 0;
    handlers.error(this.source, error);
    return 1;
  }

  #queue(): void {
    this.#shared.parts.queues.push(CLOSE_QUEUE, this, TASK_WORK);
    this.#shared.parts.touched();
  }
}
