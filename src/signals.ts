/**
 * Signals as events of an engine: one signalfd for all that it watches, and what
 * the kernel tells of each.
 *
 * @module
 */

import {
  EAGAIN,
  SFD_CLOEXEC,
  SFD_NONBLOCK,
  signalfd_siginfo,
  sigset,
  SystemError,
} from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import {
  hold,
  release,
  releaseUnblocks,
  type ThreadName,
  threadsNotBlocking,
} from "./signals_blocked.ts";
import {
  blockableNumber,
  type SignalName,
  signalName,
} from "./signal_names.ts";
import { triggerRules } from "./trigger.ts";
import { FAST, type Task, TASK_WORK } from "./work_queue.ts";

/** Records taken by one read. */
const RECORDS_MAX = 16;

/**
 * A handler that is called for each signal of a name, made by
 * {@linkcode Engine.signal}. Several standard signals of a name that arrive
 * before the engine looks are one; real-time signals are all told, in order.
 *
 * @example
 * ```ts ignore
 * import { Engine, withSignalsBlocked } from "@edgewise/epoll";
 *
 * withSignalsBlocked(["SIGTERM", "SIGRTMIN"]);
 *
 * using engine = new Engine();
 * engine.signal("SIGTERM", () => engine.stop());
 * const watch = engine.signal("SIGRTMIN", ({ pid, value }) => {
 *   console.log(`process ${pid} says ${value}`);
 *   if (value === 0) watch.close();
 * });
 * engine.run();
 * ```
 */
export class SignalWatch implements Disposable {
  /** The signal. */
  readonly name: SignalName;
  /** @internal */
  readonly number: number;
  /** @internal */
  readonly handler: (info: SignalInfo) => void;
  #signals: Signals | null;

  /** @internal */
  constructor(
    signals: Signals,
    name: SignalName,
    number: number,
    handler: (info: SignalInfo) => void,
  ) {
    this.name = name;
    this.number = number;
    this.handler = handler;
    this.#signals = signals;
  }

  /** Whether the watch is closed: its handler is not called any more. */
  get closed(): boolean {
    return this.#signals === null;
  }

  /**
   * Ends the watch; other watches of the signal go on. With the last one the
   * thread's signal mask is what it was before the first. Closing again does
   * nothing.
   */
  close(): void {
    const signals = this.#signals;
    this.#signals = null;
    signals?.drop(this);
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** A signal on its way to one watch. */
class Delivery implements Task {
  readonly source: SignalWatch;
  readonly #info: SignalInfo;

  constructor(watch: SignalWatch, info: SignalInfo) {
    this.source = watch;
    this.#info = info;
  }

  run(): number {
    if (this.source.closed) return 0;
    this.source.handler(this.#info);
    return 1;
  }
}

/** The watches of one engine. */
export class Signals {
  readonly #parts: EngineParts;
  readonly #watches = new Map<number, SignalWatch[]>();
  readonly #records = new Uint8Array(RECORDS_MAX * signalfd_siginfo.size);
  readonly #view = new DataView(this.#records.buffer);
  #event: FdEvent | null = null;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** Calls `handler` for each signal of that name from here on. */
  watch(
    name: SignalName,
    handler: (info: SignalInfo) => void,
  ): SignalWatch {
    const number = blockableNumber(name);
    const watch = new SignalWatch(this, name, number, handler);
    const others = this.#watches.get(number);
    if (others === undefined) this.#admit(watch);
    else others.push(watch);
    return watch;
  }

  /** Takes a closed watch out. */
  drop(watch: SignalWatch): void {
    const { number } = watch;
    const watches = this.#watches.get(number) ?? [];
    watches.splice(watches.indexOf(watch), 1);
    if (watches.length > 0) return;
    this.#watches.delete(number);
    if (releaseUnblocks(number)) this.#discard(number);
    if (this.#watches.size > 0) this.#receive([...this.#watches.keys()]);
    else this.#closeEvent();
    release(this.#parts.calls, number);
  }

  /** Closes all watches. */
  close(): void {
    for (const watch of [...this.#watches.values()].flat()) watch.close();
  }

  /** The first watch of its signal. */
  #admit(watch: SignalWatch): void {
    const { calls } = this.#parts;
    const { name, number } = watch;
    hold(calls, number);
    try {
      const open = threadsNotBlocking(calls, [number]);
      if (open.length > 0) throw new Error(refusal(name, open));
      this.#receive([...this.#watches.keys(), number]);
    } catch (error) {
      release(calls, number);
      throw error;
    }
    this.#watches.set(number, [watch]);
  }

  /** Has the signalfd receive these signals and no others. */
  #receive(numbers: readonly number[]): void {
    const { calls } = this.#parts;
    const fd = calls.signalfd(
      this.#event?.fd ?? -1,
      sigset(numbers),
      SFD_CLOEXEC | SFD_NONBLOCK,
    );
    if (fd < 0) throw new SystemError("signalfd", fd);
    if (this.#event !== null) return;
    const handlers: OwnHandlers = {
      owner: "SignalWatch",
      read: () => this.#read(fd),
      engineClosed: () => this.close(),
    };
    // Level-triggered: what one read leaves is reported again.
    const level = triggerRules("level");
    this.#event = watchOwn(this.#parts, fd, level, handlers);
    this.#event.readQueue = FAST;
  }

  /** Queues what has arrived, so that a handler that throws stops no other. */
  #read(fd: number): void {
    const { calls, queues } = this.#parts;
    const bytes = calls.read(fd, this.#records);
    if (bytes === -EAGAIN) return;
    if (bytes < 0) throw new SystemError("read", bytes, { fd });
    for (let at = 0; at < bytes; at += signalfd_siginfo.size) {
      const info = readSignalInfo(this.#view, at);
      for (const watch of this.#watches.get(info.number) ?? []) {
        queues.push(FAST, new Delivery(watch, info), TASK_WORK);
      }
    }
  }

  /** Drops what waits to be received: unblocked, it would end the process. */
  #discard(number: number): void {
    const { calls } = this.#parts;
    this.#receive([number]);
    const fd = this.#event?.fd ?? -1;
    while (calls.read(fd, this.#records) > 0);
  }

  #closeEvent(): void {
    this.#event?.close();
    this.#event = null;
  }
}

function refusal(name: SignalName, open: readonly ThreadName[]): string {
  const threads = open.map((thread) => `${thread.tid} ${thread.name}`);
  return `Cannot watch ${name}: it would end the process, as ` +
    `${open.length} of its threads do not block it (${threads.join(", ")}). ` +
    `Call withSignalsBlocked(["${name}"]) first of all, or start the program ` +
    `with \`env --block-signal=${
      name.slice("SIG".length)
    } …\`; where neither ` +
    `can be done, use a SignalBridge`;
}

/**
 * A signal that was received, with the fields of `struct signalfd_siginfo`. A
 * field is 0 where it means nothing for the signal's `code`.
 */
export interface SignalInfo {
  /** The signal's name, such as `"SIGUSR1"`. */
  readonly name: SignalName;
  /** Its number. */
  readonly number: number;
  /**
   * How it came about: `SI_USER` (0, kill), `SI_QUEUE` (−1, sigqueue),
   * `SI_TKILL` (−6), `SI_KERNEL` (128) or one of the signal's own, such as
   * `CLD_EXITED`.
   */
  readonly code: number;
  /** The process that sent it, or the child concerned. */
  readonly pid: number;
  /** The user of that process. */
  readonly uid: number;
  /** SIGCHLD: the exit status of the child, or the number of the signal that ended it. */
  readonly status: number;
  /** The value that sigqueue sent, as a signed 32-bit integer. */
  readonly value: number;
  /** The value that sigqueue sent, as a pointer of 64 bits. */
  readonly pointer: bigint;
  /** An error number; mostly unused. */
  readonly errno: number;
  /** SIGIO: the descriptor. */
  readonly fd: number;
  /** SIGIO: the events of the descriptor, as for poll. */
  readonly band: number;
  /** Timers of timer_create: the kernel's number of the timer. */
  readonly timerId: number;
  /** Timers of timer_create: expirations that this signal stands for beside its own. */
  readonly overrun: number;
  /** SIGCHLD: the child's processor time in user mode, in clock ticks. */
  readonly userTicks: number;
  /** SIGCHLD: the child's processor time in the kernel, in clock ticks. */
  readonly systemTicks: number;
}

/** The record that begins at byte `at`. */
function readSignalInfo(record: DataView, at: number): SignalInfo {
  const layout = signalfd_siginfo;
  const word = (offset: number) => record.getInt32(at + offset, true);
  const wide = (offset: number) => record.getBigUint64(at + offset, true);
  const number = word(layout.ssi_signo);
  return {
    name: signalName(number),
    number,
    code: word(layout.ssi_code),
    pid: word(layout.ssi_pid),
    uid: word(layout.ssi_uid) >>> 0,
    status: word(layout.ssi_status),
    value: word(layout.ssi_int),
    pointer: wide(layout.ssi_ptr),
    errno: word(layout.ssi_errno),
    fd: word(layout.ssi_fd),
    band: word(layout.ssi_band) >>> 0,
    timerId: word(layout.ssi_tid),
    overrun: word(layout.ssi_overrun) >>> 0,
    userTicks: Number(wide(layout.ssi_utime)),
    systemTicks: Number(wide(layout.ssi_stime)),
  };
}
