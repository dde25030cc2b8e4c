/**
 * A server of several workers behind one port: it starts them, starts others
 * when they die, replaces them without turning a client away, and stops.
 *
 * @module
 */

import { currentProcess, type SocketAddress } from "../../ffi/mod.ts";
import { Handover } from "./handover.ts";
import {
  checkDrainTimeout,
  type ServerOptions,
  sharePolicy,
  workerCount,
  workerOptions,
} from "./options.ts";
import { blockableNumber } from "../signal_names.ts";
import { duplicate, SharedPort } from "./shared_port.ts";
import { type Draining, Slot } from "./slot.ts";

/**
 * Engines behind one port, each in a worker whose module calls
 * {@linkcode runServerWorker}. In Deno, workers need `--allow-read` for it.
 *
 * The server holds the listening sockets itself, so that clients who wait in the
 * backlog of a worker that dies or is replaced are served by the next one.
 *
 * @example
 * ```ts ignore
 * import { Server } from "@edgewise/epoll/server";
 *
 * const module = new URL("./worker.ts", import.meta.url);
 * const server = new Server(module, { port: 8080, workers: 4 });
 * await server.ready;
 * console.log(`listening on port ${server.port}`);
 * await server.finished; // until SIGINT or SIGTERM; SIGHUP reloads
 * ```
 */
export class Server implements AsyncDisposable {
  /** The address that the workers share. */
  readonly localAddress: SocketAddress;
  /** Fulfilled when all workers serve. Rejected if one can't; then it stops. */
  readonly ready: Promise<void>;
  /** Fulfilled when the server has stopped and all workers have ended. */
  readonly finished: Promise<void>;

  readonly #port: SharedPort;
  readonly #slots: readonly Slot[];
  readonly #drainTimeoutMs: number;
  readonly #report: (error: unknown, worker: number) => void;
  readonly #finished: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #signals: [name: string, act: () => void][] = [];
  #handover: Handover | null = null;
  #reloading: Promise<unknown> = Promise.resolve();
  #stopping = false;

  /**
   * Binds the port, and starts the workers.
   *
   * @param module Of the workers. It is loaded anew at each reload.
   * @throws {RangeError | TypeError} If an option is not in its range, or names a
   * signal that can't be listened to.
   * @throws {SystemError} What socket(2), bind(2) or listen(2) refuse, such as
   * `EADDRINUSE`; `EBADF`, `ENOTSOCK` or `EINVAL` for an `fd` that does not listen.
   */
  constructor(module: URL | string, options: ServerOptions = {}) {
    const {
      drainTimeoutMs = 10_000,
      stopOn = ["SIGINT", "SIGTERM"],
      reloadOn = ["SIGHUP"],
      onError = printError,
    } = options;
    for (const name of [...stopOn, ...reloadOn]) blockableNumber(name);
    const share = sharePolicy(options);
    const count = workerCount(options);
    this.#drainTimeoutMs = checkDrainTimeout(drainTimeoutMs);
    this.#report = onError;
    this.#port = new SharedPort(options, share === "reuseport" ? count : 1);
    this.localAddress = this.#port.localAddress;
    this.finished = this.#finished.promise;
    const { data } = options;
    const listen = workerOptions(options);
    this.#slots = Array.from({ length: count }, (_, index) => {
      const socket = share === "handover" ? null : this.#port.socketOf(index);
      const task = { index, socket, listen, data };
      return new Slot(module, task, {
        serves: () => this.#handover?.dealHeld(),
        died: (error) => onError(error, index),
      });
    });
    this.#on(stopOn, () => {
      this.stop(this.#stopping ? 0 : this.#drainTimeoutMs);
    });
    this.#on(reloadOn, () => {
      this.reload().catch((error) => {
        if (!this.#stopping) onError(error, -1);
      });
    });
    this.ready = this.#begin(share === "handover" ? options : null);
  }

  /** The port that the workers share; 0 for a unix socket. */
  get port(): number {
    return "port" in this.localAddress ? this.localAddress.port : 0;
  }

  /** Workers that were started because another one had died. */
  get restarts(): number {
    return this.#slots.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /**
   * Replaces the workers one after the other: a new one serves before the old
   * one drains, so that no client is turned away.
   *
   * @returns When the old workers have ended. Rejects if a new one fails: the old
   * ones that are left go on.
   */
  reload(): Promise<void> {
    const replaced = this.#reloading.then(() => this.#replaceAll());
    this.#reloading = replaced.catch(() => {});
    return this.#drained(replaced);
  }

  /**
   * Stops listening, and has the workers drain: they end once their connections
   * are closed. Calling it again can only shorten the time that they get. A setup
   * function that is running gets the same time, and 2 s at the least; then its
   * worker is ended, and what it has opened stays open until the process ends.
   * One that blocks its thread keeps Deno 2.9 from ending the process.
   *
   * @param drainTimeoutMs Milliseconds, as for the option of that name.
   * @returns `finished`
   */
  stop(drainTimeoutMs: number = this.#drainTimeoutMs): Promise<void> {
    checkDrainTimeout(drainTimeoutMs);
    // Whoever stops it need not be told that it never served.
    this.ready.catch(() => {});
    this.#stopping = true;
    this.#stop(drainTimeoutMs);
    return this.finished;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #begin(handover: ServerOptions | null): Promise<void> {
    try {
      await Promise.all(this.#slots.map((slot) => slot.replace(0)));
      if (handover !== null && !this.#stopping) this.#handOver(handover);
    } catch (error) {
      this.#stopping = true;
      this.#stop(0);
      throw error;
    }
  }

  #handOver({ acceptBatch = 64, onExhausted = "wait" }: ServerOptions): void {
    const fd = duplicate(this.#port.socketOf(0));
    const options = { fd, acceptBatch, onExhausted };
    const onError = (error: unknown) => this.#report(error, -1);
    this.#handover = new Handover(options, this.#slots, onError);
  }

  async #replaceAll(): Promise<Draining[]> {
    const drains: Draining[] = [];
    for (const slot of this.#slots) {
      drains.push(await slot.replace(this.#drainTimeoutMs));
    }
    return drains;
  }

  async #drained(drains: Promise<Draining[]>): Promise<void> {
    await Promise.all((await drains).map(({ drained }) => drained));
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    this.#handover?.close();
    const closing = Promise.all(
      this.#slots.map((slot) => slot.close(drainTimeoutMs)),
    );
    await closing;
    // The workers have duplicates of their own, or got none.
    this.#port.close();
    await this.#drained(closing);
    const process = currentProcess();
    for (const [name, act] of this.#signals.splice(0)) process.off(name, act);
    this.#finished.resolve();
  }

  #on(names: readonly string[], act: () => void): void {
    for (const name of names) {
      currentProcess().on(name, act);
      this.#signals.push([name, act]);
    }
  }
}

function printError(error: unknown, worker: number): void {
  console.error(worker < 0 ? "The server:" : `Worker ${worker}:`, error);
}
