/**
 * The last callbacks of a connection: what failed, then that it is closed.
 *
 * @module
 */

import type { SystemError } from "../../ffi/mod.ts";
import type { Task } from "../work_queue.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHandlers } from "./options.ts";

/** Waits in the close queue, so that no handler runs inside a verb. */
export class Closing implements Task {
  readonly source: Connection;
  readonly #handlers: ConnectionHandlers;
  readonly #error: SystemError | null;

  constructor(
    connection: Connection,
    handlers: ConnectionHandlers,
    error: SystemError | null,
  ) {
    this.source = connection;
    this.#handlers = handlers;
    this.#error = error;
  }

  run(): number {
    let ran = 0;
    try {
      if (this.#error !== null && this.#handlers.error !== undefined) {
        ran++;
        this.#handlers.error(this.source, this.#error);
      }
    } finally {
      if (this.#handlers.close !== undefined) {
        ran++;
        this.#handlers.close(this.source);
      }
    }
    return ran;
  }
}
