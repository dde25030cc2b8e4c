/**
 * An engine in a worker, started from another thread and stopped cleanly: a
 * worker that is blocked in the wait cannot be ended from outside, and would
 * keep the process from exiting.
 *
 * @module
 */

import { builtin, SystemError } from "../ffi/mod.ts";
import { Engine } from "./engine.ts";
import type { InboxAddress } from "./mailbox.ts";
import type { EngineOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";

/** What both runtimes have in a worker's global scope. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: WorkerReport): void;
}

const scope = globalThis as unknown as WorkerScope;

/** Options of an {@linkcode EngineWorker}. */
export interface EngineWorkerOptions {
  /** Given to the worker's setup function, by structured clone. */
  data?: unknown;
  /** The worker's name in error messages. */
  name?: string;
}

/** Options of {@linkcode runEngineWorker}: its engine's, and one more. */
export interface RunEngineWorkerOptions extends EngineOptions {
  /**
   * Called once the engine has stopped or a handler has thrown, before the engine
   * is closed and the worker ends: for closing what the setup function opened
   * beside the engine, such as outboxes, which would stay open with the process.
   */
  stopped?(): void;
}

/**
 * A worker that runs an engine, seen from the thread that started it. Its module
 * calls {@linkcode runEngineWorker}. In Deno, starting a worker needs
 * `--allow-read` for the module.
 *
 * @example
 * ```ts ignore
 * import { EngineWorker } from "@edgewise/epoll";
 *
 * const url = new URL("./server_worker.ts", import.meta.url);
 * await using worker = new EngineWorker(url, { data: { port: 8080 } });
 * console.log(await worker.ready); // what the setup function returned
 * ```
 */
export class EngineWorker implements AsyncDisposable {
  /**
   * Fulfilled with what the setup function returned, once the engine is about
   * to run. Rejected if the worker fails before, or is stopped before.
   */
  readonly ready: Promise<unknown>;
  /**
   * Fulfilled when the engine has stopped and what it opened is closed. Rejected
   * if the worker fails, with what was thrown: a {@linkcode SystemError} comes as
   * one; of other errors structured clone keeps the message.
   */
  readonly finished: Promise<void>;

  readonly #worker: Worker;
  readonly #ready: PromiseWithResolvers<unknown> = Promise.withResolvers();
  readonly #finished: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #data: unknown;
  #state: "starting" | "setup" | "running" | "ended" = "starting";
  #control: InboxAddress | null = null;
  #stopping = false;
  #neverReady = false;

  /** Starts the worker. What goes wrong from here on is told by `ready`. */
  constructor(module: URL | string, options: EngineWorkerOptions = {}) {
    const { data, name } = options;
    this.ready = this.#ready.promise;
    this.finished = this.#finished.promise;
    this.#data = data;
    this.#worker = new Worker(module, {
      type: "module",
      ...(name === undefined ? {} : { name }),
    });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => {
      this.#reported(data);
    };
    this.#worker.onerror = (event: ErrorEvent) => {
      event.preventDefault();
      this.#fail(event.error ?? new Error(event.message));
    };
  }

  /**
   * Stops the worker's engine after the handler that is running, closes it, and
   * ends the worker. A setup function that is running is awaited first. Stopping
   * again does nothing.
   *
   * @returns When the worker has ended; rejected as `finished` is.
   * @throws {SystemError} `EMFILE` if the process has no descriptor left: try
   * again.
   */
  async stop(): Promise<void> {
    if (!this.#stopping) this.#stop();
    await this.finished;
  }

  /**
   * @internal Ends a worker that does not come to run its engine. What it has
   * opened stays open with the process.
   */
  giveUp(): void {
    if (this.#state !== "starting" && this.#state !== "setup") return;
    this.#fail(
      new Error("Cannot start a worker: its setup did not end in time"),
    );
  }

  /** Stops the worker. Does not throw again what `ready` was rejected with. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#neverReady) return;
    await this.stop();
  }

  #stop(): void {
    if (this.#control !== null) this.#sendStop(this.#control);
    this.#stopping = true;
    if (this.#state === "starting" || this.#state === "setup") {
      // Whoever stops it need not be told.
      this.ready.catch(() => {});
      this.#ready.reject(
        new Error("The worker was stopped before it was ready"),
      );
    }
    // It has no engine yet, and gets none.
    if (this.#state === "starting") this.#end();
  }

  #reported(report: WorkerReport): void {
    switch (report?.edgewise) {
      case "begun":
        return this.#setUp();
      case "ready":
        this.#state = "running";
        this.#control = report.control;
        if (this.#stopping) this.#sendStop(report.control);
        return this.#ready.resolve(report.value);
      case "stopped":
        return this.#end();
      case "failed":
        return this.#fail(reportedError(report.failure));
    }
  }

  #setUp(): void {
    if (this.#state !== "starting") return;
    try {
      this.#worker.postMessage(this.#data);
      this.#state = "setup";
    } catch (error) {
      // Not fit for structured clone.
      this.#fail(error);
    }
  }

  #sendStop(control: InboxAddress): void {
    using outbox = new Outbox(control);
    outbox.stop();
  }

  #fail(error: unknown): void {
    if (this.#state !== "running") {
      this.#neverReady = true;
      // Told by `ready` already.
      this.finished.catch(() => {});
      this.#ready.reject(error);
    }
    this.#finished.reject(error);
    this.#end();
  }

  #end(): void {
    this.#state = "ended";
    this.#control = null;
    this.#stopping = true;
    this.#worker.terminate();
    this.#finished.resolve();
  }
}

/**
 * In a worker's module: makes an engine, hands it to `setup` with the data that
 * the worker was started with, and runs it until it is stopped, from here or by
 * {@linkcode EngineWorker.stop}; then the engine is closed. While it runs, no
 * promise, timer or message of the worker progresses. What `setup` or a handler
 * throws ends the worker, and reaches {@linkcode EngineWorker}.
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
 * @param setup May be async. What it returns must be fit for structured clone.
 * @throws {Error} If this is not a worker.
 */
export function runEngineWorker(
  setup: (engine: Engine, data: unknown) => unknown,
  options: RunEngineWorkerOptions = {},
): void {
  // Deno 2.9 takes its web workers for the main thread, Bun has no such scope.
  const { isMainThread } = builtin("node:worker_threads");
  if (isMainThread && !("WorkerGlobalScope" in globalThis)) {
    throw new Error("Cannot run an engine worker: this is the main thread");
  }
  scope.onmessage = async ({ data }) => {
    try {
      using engine = new Engine(options);
      const limits = { sendersMax: 1, laneBytes: 64 };
      const control = engine.inbox(limits, () => {}).address;
      const value = await setup(engine, data);
      try {
        scope.postMessage({ edgewise: "ready", control, value });
        engine.run();
      } finally {
        options.stopped?.();
      }
    } catch (error) {
      return scope.postMessage(failedReport(error));
    }
    scope.postMessage({ edgewise: "stopped" });
  };
  // Not before: a message that comes while a module is loading is lost.
  scope.postMessage({ edgewise: "begun" });
}

/** A message from the worker, beside what its own code may post. */
type WorkerReport =
  /** It waits for what it is to be started with. */
  | { readonly edgewise: "begun" }
  /** Its engine is about to run. */
  | {
    readonly edgewise: "ready";
    readonly control: InboxAddress;
    readonly value: unknown;
  }
  /** Its engine has stopped and is closed. */
  | { readonly edgewise: "stopped" }
  | { readonly edgewise: "failed"; readonly failure: Failure };

/** An error on its way: structured clone keeps neither its class nor its fields. */
interface Failure {
  readonly error: unknown;
  /** Of a SystemError. */
  readonly system?: Pick<SystemError, "syscall" | "errno" | "fd" | "address">;
}

/** Reports a failure, whatever was thrown. */
function failedReport(error: unknown): WorkerReport {
  if (error instanceof SystemError) {
    return {
      edgewise: "failed",
      failure: { error: null, system: { ...error } },
    };
  }
  try {
    structuredClone(error);
    return { edgewise: "failed", failure: { error } };
  } catch {
    // A function, say, or an error that holds one.
    return { edgewise: "failed", failure: { error: new Error(String(error)) } };
  }
}

/** What was thrown, as far as it came through. */
function reportedError({ error, system }: Failure): unknown {
  if (system === undefined) return error;
  return new SystemError(system.syscall, system.errno, system);
}
