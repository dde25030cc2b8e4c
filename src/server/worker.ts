/**
 * A server's worker, from within: an engine that serves its share of the
 * connections until it is told to drain.
 *
 * @module
 */

import type { Engine } from "../engine.ts";
import { runEngineWorker } from "../engine_worker.ts";
import type { InboxAddress } from "../mailbox.ts";
import type { Connection } from "../net/connection.ts";
import type { Listener } from "../net/listener.ts";
import { boundHandlers, type ConnectionHandlers } from "../net/options.ts";
import type { EngineOptions } from "../options.ts";
import { type DrainOrder, readOrder, type WorkerTask } from "./orders.ts";
import { duplicate } from "./shared_port.ts";

/** What a worker's setup function is told, and what its handlers may ask. */
export interface ServerWorker {
  /** The server's `data`, by structured clone. */
  readonly data: unknown;
  /** Which of the server's workers this is, from 0 on. */
  readonly index: number;
  /**
   * Whether the worker is on its way out: it gets no new connections, and ends
   * once the last of those that it has is closed.
   */
  readonly draining: boolean;
  /** Its open connections. */
  readonly connections: ReadonlySet<Connection>;
  /**
   * Set it to be told when draining begins, to end connections that are idle.
   * Those that are not should be ended by their handlers as they see `draining`.
   */
  onDrain: (() => void) | null;
}

/**
 * In the module of a {@linkcode Server}'s workers: serves connections until the
 * server lets the worker go.
 *
 * ```ts ignore
 * import { runServerWorker } from "@edgewise/epoll/server";
 *
 * runServerWorker((_engine, worker) => ({
 *   data(connection, chunk) {
 *     connection.write(chunk);
 *     if (worker.draining) connection.end();
 *   },
 * }));
 * ```
 *
 * @param setup Returns the handlers of all connections. May be async, until
 * which the worker accepts none. What it throws ends the worker, and reaches the
 * server.
 * @param options Those of the worker's engine. Without `onError`, what a handler
 * throws ends the worker, and the server starts another.
 * @throws {Error} If this is not a worker.
 */
export function runServerWorker(
  setup: (
    engine: Engine,
    worker: ServerWorker,
  ) => ConnectionHandlers | Promise<ConnectionHandlers>,
  options: EngineOptions = {},
): void {
  runEngineWorker(async (engine, data) => {
    const serving = new Serving(engine, data as WorkerTask);
    return serving.begin(await setup(engine, serving));
  }, options);
}

/** Keeps count of a worker's connections, and drains them. */
class Serving implements ServerWorker {
  readonly data: unknown;
  readonly index: number;
  readonly connections: Set<Connection> = new Set();
  draining = false;
  onDrain: (() => void) | null = null;

  readonly #engine: Engine;
  readonly #task: WorkerTask;
  #listener: Listener | null = null;

  constructor(engine: Engine, task: WorkerTask) {
    this.#engine = engine;
    this.#task = task;
    this.data = task.data;
    this.index = task.index;
  }

  /** Takes connections from here on. Returns where orders are taken. */
  begin(handlers: ConnectionHandlers): InboxAddress {
    const counted = this.#counted(handlers);
    const { socket, listen } = this.#task;
    if (socket !== null) {
      const fd = duplicate(socket);
      this.#listener = this.#engine.listen({ ...listen, fd }, counted);
    }
    // Counted before it is open: an order to drain may come right behind it.
    const descriptor = (fd: number) => {
      this.connections.add(this.#engine.adopt(fd, counted, listen));
    };
    return this.#engine.inbox(
      { sendersMax: 1, descriptor },
      (message) => this.#drain(readOrder(message)),
    ).address;
  }

  /** The user's handlers, called as theirs, and the count beside them. */
  #counted(handlers: ConnectionHandlers): ConnectionHandlers {
    return {
      ...boundHandlers(handlers),
      open: (connection) => {
        this.connections.add(connection);
        handlers.open?.(connection);
      },
      close: (connection) => {
        this.connections.delete(connection);
        if (this.draining) this.#endWithLast();
        handlers.close?.(connection);
      },
    };
  }

  #drain({ timeoutMs }: DrainOrder): void {
    // A second order, of a server in a hurry, only sets the limit.
    this.#engine.timer(timeoutMs, () => this.#engine.stop());
    if (this.draining) return;
    this.draining = true;
    // Each though the one before it throws.
    try {
      this.#listener?.drain();
    } finally {
      try {
        this.onDrain?.();
      } finally {
        this.#endWithLast();
      }
    }
  }

  #endWithLast(): void {
    if (this.connections.size === 0) this.#engine.stop();
  }
}
