/**
 * Signals by way of the runtime's own listeners, where their mask can't be set.
 *
 * @module
 */

import {
  currentProcess,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  F_DUPFD_CLOEXEC,
  SignalListener,
  SIGRTMIN,
  SystemError,
} from "../ffi/mod.ts";
import type { Engine } from "./engine.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import { threadsNotBlocking } from "./signals_blocked.ts";
import { blockableNumber, type StandardSignalName } from "./signal_names.ts";
import { triggerRules } from "./trigger.ts";
import { FAST } from "./work_queue.ts";

/**
 * Signals for an engine in a program whose threads do not block them, and which
 * can't be started or executed again so that they do. A worker listens with the
 * runtime's own means and writes an eventfd for each signal.
 *
 * Compared with {@linkcode Engine.signal} it needs no mask, and children inherit
 * nothing. It costs a thread, does not say who sent a signal, takes standard
 * signals only, and works in Deno only. Deno 2.9 opens its debugger on SIGUSR1
 * unless the main thread listens to it: prefer another signal.
 *
 * @example
 * ```ts
 * import { Engine, SignalBridge } from "@edgewise/epoll";
 * import process from "node:process";
 *
 * using engine = new Engine();
 * using bridge = new SignalBridge(engine, ["SIGUSR2", "SIGTERM"], (name) => {
 *   console.log(name); // SIGUSR2
 *   engine.stop();
 * });
 * process.kill(process.pid, "SIGUSR2");
 * engine.run();
 * ```
 */
export class SignalBridge implements Disposable {
  readonly #parts: EngineParts;
  readonly #events: FdEvent[] = [];
  readonly #listener: SignalListener | null = null;
  #closed = false;

  /**
   * Starts the worker and waits until it listens: some 30 ms, and some 550 ms in a
   * Worker (Deno 2.9). From then on the signals do not act on the process any
   * more. The engine closes the bridge with itself.
   *
   * @param handler Called with the name of a signal, and with how often the worker
   * was told of it since the last call.
   * @throws {TypeError} If there is no signal of a name, or it can't be listened to.
   * @throws {Error} If all threads block one of the signals, so that
   * {@linkcode Engine.signal} can receive it and a listener can't; if the runtime
   * is not Deno, or the worker does not start.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` from eventfd(2); `EBADF` if
   * the engine is closed.
   */
  constructor(
    engine: Engine,
    names: readonly StandardSignalName[],
    handler: (name: StandardSignalName, count: number) => void,
  ) {
    this.#parts = engine.parts;
    for (const name of names) checkSignal(this.#parts, name);
    if (currentProcess().versions.bun !== undefined) {
      throw new Error(
        "Cannot bridge signals: Bun gives them to the main thread alone (1.4). " +
          "Use withSignalsBlocked() and the engine's signal()",
      );
    }
    try {
      for (const name of names) this.#register(name, handler);
      this.#listener = new SignalListener(names, this.#duplicates());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether the bridge is closed: its handler is not called any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Ends the bridge. The signals act on the process again as they did before.
   * Closing again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener?.stop();
    for (const event of this.#events) event.close();
  }

  /** Ends the bridge. */
  [Symbol.dispose](): void {
    this.close();
  }

  #register(
    name: StandardSignalName,
    handler: (name: StandardSignalName, count: number) => void,
  ): void {
    const { calls } = this.#parts;
    const fd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", fd);
    const counter = new Uint32Array(2);
    const handlers: OwnHandlers = {
      owner: "SignalBridge",
      read: (event) => {
        if (event.read(new Uint8Array(counter.buffer)) < 0) return;
        handler(name, counter[0]);
      },
      engineClosed: () => this.close(),
    };
    const edge = triggerRules("edge");
    const event = watchOwn(this.#parts, fd, edge, handlers, this);
    event.readQueue = FAST;
    this.#events.push(event);
  }

  /** The worker's own: it may write when these numbers are somebody else's. */
  #duplicates(): number[] {
    const { calls } = this.#parts;
    const copies: number[] = [];
    for (const { fd } of this.#events) {
      const copy = calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (copy < 0) {
        for (const made of copies) calls.close(made);
        throw new SystemError("fcntl", copy, { fd });
      }
      copies.push(copy);
    }
    return copies;
  }
}

function checkSignal(parts: EngineParts, name: StandardSignalName): void {
  const number = blockableNumber(name);
  if (number >= SIGRTMIN) {
    throw new TypeError(`Cannot bridge ${name}: no runtime listens to it`);
  }
  if (threadsNotBlocking(parts.calls, [number]).length === 0) {
    throw new Error(
      `Cannot bridge ${name}: every thread blocks it. Use the engine's signal()`,
    );
  }
}
