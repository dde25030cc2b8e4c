/**
 * A server of several workers behind one port: it starts them, starts others
 * when they die, replaces them without turning a client away, and stops.
 *
 * @module
 */

import {
  currentProcess,
  type SocketAddress,
  systemCalls,
} from "../../ffi/mod.ts";
import { Engine } from "../engine.ts";
import {
  checkDrainTimeout,
  type ServerOptions,
  sharePolicy,
  workerCount,
  workerOptions,
} from "./options.ts";
import { blockableNumber } from "../signal_names.ts";
import { duplicate, SharedPort } from "./shared_port.ts";
import { Slot } from "./slot.ts";

/** Connections that wait for a worker; more are closed. */
const HELD_MAX = 1024;

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
  #acceptor: Engine | null = null;
  /** Accepted, and taken by no worker yet. */
  readonly #held: number[] = [];
  #next = 0;
  #reloading: Promise<void> = Promise.resolve();
  #stopping = false;

  /**
   * Binds the port, and starts the workers.
   *
   * @param module Of the workers. It is loaded anew at each reload.
   * @throws {RangeError | TypeError} If an option is not in its range, or names a
   * signal that can't be listened to.
   * @throws {SystemError} What socket(2), bind(2) or listen(2) refuse, such as
   * `EADDRINUSE`.
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
        serves: () => this.#handOverHeld(),
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
    const reloaded = this.#reloading.then(() => this.#replaceAll());
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  /**
   * Stops listening, and has the workers drain: they end once their connections
   * are closed. Calling it again can only shorten the time that they get.
   *
   * @param drainTimeoutMs Milliseconds, as for the option of that name.
   * @returns `finished`
   */
  stop(drainTimeoutMs: number = this.#drainTimeoutMs): Promise<void> {
    checkDrainTimeout(drainTimeoutMs);
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
    } catch (error) {
      this.stop(0);
      throw error;
    }
    if (handover !== null && !this.#stopping) this.#accept(handover);
  }

  /** Accepts on this thread, beside its own event loop, and hands over. */
  #accept(options: ServerOptions): void {
    const onError = (error: unknown) => this.#report(error, -1);
    const acceptor = new Engine({ onError });
    const fd = duplicate(this.#port.socketOf(0));
    const { acceptBatch = 64 } = options;
    acceptor.listen({ fd, acceptBatch }, {
      open: (connection) => this.#handOver(connection.detach()),
    });
    this.#acceptor = acceptor;
    acceptor.start().catch(onError);
  }

  /** To the next worker that takes it; where none does, it waits for one. */
  #handOver(fd: number): void {
    const count = this.#slots.length;
    for (let tried = 0; tried < count; tried++) {
      this.#next = (this.#next + 1) % count;
      if (this.#slots[this.#next].give(fd)) return;
    }
    if (this.#held.length < HELD_MAX) this.#held.push(fd);
    else systemCalls.close(fd);
  }

  #handOverHeld(): void {
    for (const fd of this.#held.splice(0)) this.#handOver(fd);
  }

  async #replaceAll(): Promise<void> {
    const drains: Promise<void>[] = [];
    for (const slot of this.#slots) {
      const { drained } = await slot.replace(this.#drainTimeoutMs);
      drains.push(drained);
    }
    await Promise.all(drains);
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    this.#acceptor?.close();
    for (const fd of this.#held.splice(0)) systemCalls.close(fd);
    const closing = await Promise.all(
      this.#slots.map((slot) => slot.close(drainTimeoutMs)),
    );
    // The workers have duplicates of their own, or got none.
    this.#port.close();
    await Promise.all(closing.map(({ drained }) => drained));
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
