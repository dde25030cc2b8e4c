/**
 * The engine as its users see it; the loop itself is in `loop.ts`.
 *
 * @module
 */

import { systemCalls } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import type { FdHandlers } from "./fd_handlers.ts";
import { FileIo, type FileIoOptions } from "./file_io.ts";
import { Inbox, type InboxOptions } from "./inbox.ts";
import { adopt, connect } from "./net/connect.ts";
import type { Connection } from "./net/connection.ts";
import { Datagram } from "./net/datagram.ts";
import type { DatagramHandlers, DatagramOptions } from "./net/datagram.ts";
import { Listener } from "./net/listener.ts";
import type {
  AdoptOptions,
  ConnectionHandlers,
  ConnectOptions,
  ListenOptions,
} from "./net/options.ts";
import type { EngineOptions, TimerOptions } from "./options.ts";
import type { EngineParts } from "./parts.ts";
import { register } from "./registry.ts";
import { type SignalInfo, Signals, type SignalWatch } from "./signals.ts";
import type { SignalName } from "./signal_names.ts";
import { Timer } from "./timers.ts";
import { checkTimeout } from "./waiter.ts";
import { EngineView } from "./watch/engine_view.ts";

/**
 * An epoll instance and the loop on top of it.
 *
 * @example
 * ```ts
 * import { Engine } from "@edgewise/epoll";
 * import { eventfd } from "@edgewise/epoll/ffi";
 *
 * using engine = new Engine();
 * const event = engine.register(eventfd(3), { read: (event) => event.close() });
 * event.enableRead();
 * engine.turn(); // calls the handler
 * ```
 */
export class Engine extends EngineView implements Disposable {
  #signals: Signals | null = null;

  /**
   * Creates an epoll descriptor, close-on-exec.
   *
   * @throws {RangeError} If a maximum is not an integer in its range.
   * @throws {TypeError} If the trigger is neither `"edge"` nor `"level"`.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` from epoll_create1(2).
   */
  constructor(options?: EngineOptions);
  /** @internal With another table of system calls than the kernel's, for tests. */
  constructor(options: EngineOptions, calls: SystemCalls);
  constructor(options: EngineOptions = {}, calls: SystemCalls = systemCalls) {
    super(options, calls);
  }

  /** @internal For the package's own event sources. */
  get parts(): EngineParts {
    return this.open("register");
  }

  /**
   * Takes a descriptor into the engine. Both directions are inactive: nothing
   * is asked of the kernel until a verb of the event is used, and no flag of
   * the descriptor is changed. It should be nonblocking.
   *
   * @throws {RangeError} If `fd` is not an integer, or is negative.
   * @throws {Error} If the number is registered and not closed.
   */
  register(fd: number, handlers: FdHandlers): FdEvent {
    return register(this.open("register"), fd, handlers);
  }

  /**
   * Applies pending changes with epoll_ctl(2): one call for each descriptor
   * whose mask in the kernel differs from the wish. May be called from a
   * handler. A change that fails is told to its own event's error handler.
   *
   * @returns The calls made for registered descriptors.
   */
  commit(): number {
    return this.open("commit").changes.commit();
  }

  /**
   * Commits changes, waits for kernel events, and queues the work of what
   * arrived and of the timers that are due. Runs no handler. Does not wait while
   * work is queued, nor past the nearest timer. Interruptions by signals are
   * passed over.
   *
   * @param timeoutMs Milliseconds, fractions allowed (to the nanosecond on Linux
   * 5.11, rounded up to the millisecond before). Negative and Infinity wait for
   * ever.
   * @returns The number of kernel events.
   * @throws {RangeError} If `timeoutMs` is NaN.
   */
  poll(timeoutMs = -1): number {
    const waitMs = checkTimeout(timeoutMs);
    const loop = this.open("poll");
    try {
      return loop.poll(waitMs);
    } finally {
      loop.leave();
    }
  }

  /**
   * Runs queued work, `dispatchMax` handlers at the most.
   *
   * @returns The number of handlers run.
   */
  dispatch(): number {
    const loop = this.open("dispatch");
    try {
      return loop.dispatch();
    } finally {
      loop.leave();
    }
  }

  /**
   * One round of the loop: runs queued work, then polls, then runs what that
   * queued.
   *
   * @param timeoutMs As for {@linkcode Engine.poll}, errors included.
   * @returns The number of handlers run.
   */
  turn(timeoutMs = -1): number {
    const waitMs = checkTimeout(timeoutMs);
    const loop = this.open("turn");
    try {
      return loop.turn(waitMs);
    } finally {
      loop.leave();
    }
  }

  /**
   * Runs the loop on this thread until `stop()`, though nothing may be
   * registered. Meanwhile no promise, timer or message of the runtime
   * progresses on this thread.
   *
   * @throws {Error} If the engine is running already.
   */
  run(): void {
    this.open("run").run();
  }

  /**
   * Runs the loop beside the runtime's own event loop until `stop()`: promises,
   * timers and messages of this thread go on. While there is nothing to do, a
   * call waits on a thread of the runtime's pool, and keeps the process alive;
   * in Deno 2.9 the pool has 32 threads: 32 engines can wait at a time. Rejects
   * with what a handler threw where there is no `onError`.
   *
   * @throws {Error} If the engine is running already.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` from eventfd(2).
   */
  async start(): Promise<void> {
    await this.open("start").start();
  }

  /**
   * Ends `run()` or `start()` after the handler that is running; what is queued
   * stays queued. Without one under way, the next one ends at once.
   */
  stop(): void {
    this.loop.stop();
  }

  /**
   * Sets a timer of CLOCK_MONOTONIC. Setting, cancelling and postponing make no
   * system call.
   *
   * @param delayMs Milliseconds, fractions allowed. 0 fires in the next turn;
   * Infinity never.
   * @throws {RangeError} If `delayMs` is NaN, or less than 0.000001 with `repeat`; if
   * `slackMs` is NaN, negative or not finite.
   */
  timer(
    delayMs: number,
    handler: () => void,
    options: TimerOptions = {},
  ): Timer {
    const { repeat = false, slackMs = 0 } = options;
    return new Timer(this.open("timer"), delayMs, handler, repeat, slackMs);
  }

  /**
   * Opens a mailbox for other workers, who post to it with an
   * {@linkcode Outbox} made from its address.
   *
   * @param handler Called with each message; its bytes are valid until it
   * returns.
   * @throws {RangeError} If a number is out of its range.
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM` from eventfd(2).
   */
  inbox(
    options: InboxOptions,
    handler: (message: Uint8Array) => void,
  ): Inbox {
    return new Inbox(this.open("inbox"), options, handler);
  }

  /**
   * Calls `handler` for each signal of a name, through signalfd(2) and from the
   * fast queue. Several watches of one signal are all called. One engine of a
   * process should watch a signal, and not see one sent to another thread.
   *
   * @throws {TypeError} If there is no such signal, or it can't be blocked.
   * @throws {Error} If a thread of the process does not block it, so that it
   * would end the process; see {@linkcode withSignalsBlocked}.
   * @throws {SystemError} What signalfd(2) refuses, such as `EMFILE`.
   */
  signal(name: SignalName, handler: (info: SignalInfo) => void): SignalWatch {
    const loop = this.open("signal");
    this.#signals ??= new Signals(loop);
    return this.#signals.watch(name, handler);
  }

  /**
   * Listens for stream connections: TCP over IPv4 and IPv6, or unix sockets.
   *
   * @throws {RangeError} If a number is out of its range.
   * @throws {SystemError} What socket(2), bind(2) or listen(2) refuse, such as
   * `EADDRINUSE` or `EACCES`, with the address.
   */
  listen(options: ListenOptions, handlers: ConnectionHandlers): Listener {
    return new Listener(this.open("listen"), options, handlers);
  }

  /**
   * Connects to a listening stream socket. Returns at once; `open` is called
   * when the connection is established, `error` and then `close` when that
   * fails. What is written before is buffered; closing cancels it.
   *
   * @throws {RangeError | TypeError} If a number, or the hostname, is none.
   * @throws {SystemError} What socket(2) refuses, such as `EMFILE`.
   */
  connect(options: ConnectOptions, handlers: ConnectionHandlers): Connection {
    return connect(this.open("connect"), options, handlers);
  }

  /**
   * Opens a datagram socket, UDP or unix, and receives. Errors as for `listen`.
   *
   * @throws {TypeError} If an address can't be parsed.
   */
  datagram(options: DatagramOptions, handlers: DatagramHandlers): Datagram {
    return new Datagram(this.open("datagram"), options, handlers);
  }

  /**
   * Takes over a connected stream socket, such as one detached from another
   * engine's connection. `open` is called in the next turn.
   *
   * @throws {Error} If the descriptor is registered already, or no integer.
   * @throws {SystemError} `EBADF` if it is not open.
   */
  adopt(
    fd: number,
    handlers: ConnectionHandlers,
    options: AdoptOptions = {},
  ): Connection {
    return adopt(this.open("adopt"), fd, handlers, options);
  }

  /** Reads and writes files at offsets, by Linux AIO. Errors as for `inbox`. */
  fileIo(options: FileIoOptions = {}): FileIo {
    return new FileIo(this.open("fileIo"), options);
  }

  /**
   * Deregisters everything and closes what the engine opened, not what was
   * registered. Closing again does nothing.
   */
  close(): void {
    if (!this.loop.closed) this.loop.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}
