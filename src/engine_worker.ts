/**
 * An engine in a worker, started from another thread and stopped cleanly: a
 * worker that is blocked in the wait cannot be ended from outside, and would
 * keep the process from exiting.
 *
 * @module
 */

import { Engine } from "./engine.ts";
import type { InboxAddress } from "./mailbox.ts";
import type { EngineOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";

/** What the worker tells its parent, beside what its own code may post. */
type Report =
  | { edgewise: "ready"; control: InboxAddress; value: unknown }
  | { edgewise: "stopped" }
  | { edgewise: "failed"; error: unknown };

/** What both runtimes have in a worker's global scope. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: Report): void;
}

const scope = globalThis as unknown as WorkerScope;

/** Options of an {@linkcode EngineWorker}. */
export interface EngineWorkerOptions {
  /** Given to the worker's setup function, by structured clone. */
  data?: unknown;
  /** The worker's name in error messages. */
  name?: string;
}

/**
 * A worker that runs an engine, seen from the thread that started it. Its module
 * calls {@linkcode runEngineWorker}.
 *
 * @example
 * ```ts ignore
 * import { EngineWorker } from "@edgewise/epoll";
 *
 * const url = new URL("./server_worker.ts", import.meta.url);
 * await using worker = new EngineWorker(url, { data: { port: 8080 } });
 * console.log(await worker.ready); // what the setup function returned
 * ```
 *
 * In Deno, starting a worker needs `--allow-read` of its module.
 */
export class EngineWorker implements AsyncDisposable {
  /**
   * Fulfilled with what the setup function returned, once the engine is about
   * to run; rejected if the worker fails before.
   */
  readonly ready: Promise<unknown>;
  /** Fulfilled when the engine has stopped; rejected if the worker fails. */
  readonly finished: Promise<void>;
  readonly #worker: Worker;
  #control: InboxAddress | null = null;
  #stopping = false;

  /** Starts the worker. */
  constructor(module: URL | string, options: EngineWorkerOptions = {}) {
    const { data, name } = options;
    this.#worker = new Worker(module, {
      type: "module",
      ...(name === undefined ? {} : { name }),
    });
    const ready = Promise.withResolvers<unknown>();
    const finished = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.finished = finished.promise;
    // Whoever awaits neither is still told by the one that is awaited.
    this.ready.catch(() => {});
    this.finished.catch(() => {});
    const failed = (error: unknown) => {
      this.#worker.terminate();
      ready.reject(error);
      finished.reject(error);
    };
    this.#worker.onmessage = ({ data: report }: MessageEvent<Report>) => {
      if (report?.edgewise === "ready") {
        this.#control = report.control;
        if (this.#stopping) this.#sendStop(report.control);
        ready.resolve(report.value);
      } else if (report?.edgewise === "failed") {
        failed(report.error);
      } else if (report?.edgewise === "stopped") {
        this.#worker.terminate();
        finished.resolve();
      }
    };
    this.#worker.onerror = (event: ErrorEvent) => {
      event.preventDefault();
      failed(event.error ?? new Error(event.message));
    };
    this.#worker.postMessage(data);
  }

  /**
   * Stops the worker's engine after the handler that is running, closes it, and
   * ends the worker. Harmless if repeated.
   *
   * @returns `finished`.
   */
  stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      if (this.#control !== null) this.#sendStop(this.#control);
    }
    return this.finished;
  }

  /** Stops the worker. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #sendStop(control: InboxAddress): void {
    using outbox = new Outbox(control);
    outbox.stop();
  }
}

/**
 * In a worker's module: makes an engine, hands it to `setup` with the data that
 * the worker was started with, and runs it until it is stopped, from here or by
 * {@linkcode EngineWorker.stop}. While it runs, no promise, timer or message of
 * the worker progresses.
 *
 * @example
 * ```ts ignore
 * import { runEngineWorker } from "@edgewise/epoll";
 *
 * runEngineWorker((engine) => {
 *   const listener = engine.listen({ reusePort: true }, {
 *     data: (connection, chunk) => void connection.write(chunk),
 *   });
 *   return listener.port; // what `ready` is fulfilled with
 * });
 * ```
 *
 * @param setup What it returns must be fit for structured clone.
 */
export function runEngineWorker(
  setup: (engine: Engine, data: unknown) => unknown,
  options: EngineOptions = {},
): void {
  scope.onmessage = ({ data }) => {
    try {
      using engine = new Engine(options);
      const control = engine.inbox(
        { sendersMax: 1, laneBytes: 64 },
        () => {},
      ).address;
      const value = setup(engine, data);
      scope.postMessage({ edgewise: "ready", control, value });
      engine.run();
    } catch (error) {
      return scope.postMessage({ edgewise: "failed", error });
    }
    scope.postMessage({ edgewise: "stopped" });
  };
}
