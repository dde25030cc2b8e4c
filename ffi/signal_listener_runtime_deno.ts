/** Deno's own signal listeners, in a worker that writes eventfds. @module */

import type { MessagePort, Worker } from "node:worker_threads";
import { builtin } from "./builtins.ts";
import { library } from "./library.ts";

// What the worker does, as the word says that it shares.
const STARTING = 0;
const LISTENING = 1;
const ENDED = 2;

/** Enough for a worker to start on a loaded machine. */
const START_MAX_MS = 30_000;
/** A worker that only waits for messages answers much sooner. */
const END_MAX_MS = 1_000;

/** What the worker is given. */
interface ListenerData {
  readonly path: string;
  readonly names: readonly string[];
  readonly eventfds: readonly number[];
  readonly state: Int32Array<SharedArrayBuffer>;
  readonly LISTENING: number;
  readonly ENDED: number;
}

/**
 * A worker that adds 1 to an eventfd for each signal that it is told of. It
 * keeps no process alive. In Deno alone: Bun 1.4 gives signals to the main
 * thread.
 */
export class SignalListener {
  readonly #state = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;

  /**
   * Starts the worker, and waits until it listens.
   *
   * @param names Standard signals, such as "SIGTERM".
   * @param eventfds A descriptor for each, which the worker owns from here on.
   * @throws {Error} If the worker does not come to listen.
   */
  constructor(names: readonly string[], eventfds: readonly number[]) {
    const { path } = library();
    const state = this.#state;
    const words = { state, LISTENING, ENDED };
    const workerData: ListenerData = { path, names, eventfds, ...words };
    // A module in a file would take the permission to read it (Deno 2.9).
    const program =
      'import { parentPort, workerData } from "node:worker_threads";' +
      `(${listen})(parentPort, workerData);`;
    const url = `data:text/javascript,${encodeURIComponent(program)}`;
    const { Worker } = builtin("node:worker_threads");
    this.#worker = new Worker(new URL(url), { workerData });
    this.#worker.unref();
    Atomics.wait(state, 0, STARTING, START_MAX_MS);
    if (Atomics.load(state, 0) === LISTENING) return;
    this.#worker.terminate();
    throw new Error("Cannot listen to signals: the worker does not start");
  }

  /** Ends the worker: when this returns, signals act on the process again. */
  stop(): void {
    if (Atomics.load(this.#state, 0) === ENDED) return;
    this.#worker.postMessage(null);
    Atomics.wait(this.#state, 0, LISTENING, END_MAX_MS);
    this.#worker.terminate();
  }
}

/** The worker's program. Its text alone goes there: it knows nothing around it. */
function listen(port: MessagePort, data: ListenerData): void {
  const { eventfds, names, path, state } = data;
  const tell = (value: number) => {
    Atomics.store(state, 0, value);
    Atomics.notify(state, 0);
  };
  try {
    const { symbols } = Deno.dlopen(
      path,
      {
        // int eventfd_write(int fd, eventfd_t value)
        eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
        // int close(int fd)
        close: { parameters: ["i32"], result: "i32" },
      } as const,
    );
    const listeners = eventfds.map((fd) => () => {
      symbols.eventfd_write(fd, 1n);
    });
    names.forEach((name, index) => {
      Deno.addSignalListener(name as Deno.Signal, listeners[index]);
    });
    port.once("message", () => {
      names.forEach((name, index) => {
        Deno.removeSignalListener(name as Deno.Signal, listeners[index]);
      });
      for (const fd of eventfds) symbols.close(fd);
      tell(data.ENDED);
    });
    tell(data.LISTENING);
  } catch (error) {
    tell(data.ENDED);
    throw error;
  }
}
