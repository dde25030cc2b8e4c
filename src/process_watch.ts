/**
 * The end of a process as an event.
 *
 * @module
 */

import {
  CLD_EXITED,
  P_PIDFD,
  siginfo_t,
  SystemError,
  WEXITED,
  WNOHANG,
  WNOWAIT,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import type { Engine } from "./engine.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import { type SignalName, signalName } from "./signal_names.ts";

/**
 * How a process has ended. Both are null for a process that is no child of this
 * one, and for a child that the runtime has asked for first.
 */
export interface ProcessExit {
  /** The exit status, 0 to 255; null if a signal ended the process. */
  readonly code: number | null;
  /** The signal that ended the process. */
  readonly signal: SignalName | null;
}

/**
 * Tells of the end of a process, through a pidfd (Linux 5.3; the exit status
 * since 5.4). Unlike SIGCHLD it is about this process alone, counts, and needs no
 * signal mask. The child is left to whoever started it to be waited for.
 *
 * @example
 * ```ts
 * import { Engine, ProcessWatch } from "@edgewise/epoll";
 * import { spawn } from "node:child_process";
 *
 * using engine = new Engine();
 * const child = spawn("sh", ["-c", "exit 3"]);
 * new ProcessWatch(engine, child.pid ?? 0, (exit) => {
 *   console.log(exit.code); // 3
 *   engine.stop();
 * });
 * engine.run();
 * ```
 */
export class ProcessWatch implements Disposable {
  /** The process. */
  readonly pid: number;
  readonly #parts: EngineParts;
  readonly #event: FdEvent;

  /**
   * Begins to watch. The engine closes the watch with itself.
   *
   * @param handler Called once, when the process has ended; the watch is closed
   * by then.
   * @throws {SystemError} From pidfd_open(2): `ESRCH` if there is no such process,
   * `EINVAL` if `pid` is not above 0, `ENOSYS` before Linux 5.3, `EMFILE`;
   * `EBADF` if the engine is closed.
   */
  constructor(
    engine: Engine,
    pid: number,
    handler: (exit: ProcessExit) => void,
  ) {
    this.pid = pid;
    this.#parts = engine.parts;
    const { calls, rules } = this.#parts;
    // Always close-on-exec.
    const fd = calls.pidfd_open(pid, 0);
    if (fd < 0) throw new SystemError("pidfd_open", fd);
    const handlers: OwnHandlers = {
      owner: "ProcessWatch",
      read: (event) => {
        const exit = readExit(calls, event.fd);
        this.close();
        handler(exit);
      },
      engineClosed: () => this.close(),
    };
    this.#event = watchOwn(this.#parts, fd, rules, handlers, this);
  }

  /** Whether the watch is closed: the process has ended, or it was closed. */
  get closed(): boolean {
    return this.#event.closed;
  }

  /** Ends the watch; the process goes on. Closing again does nothing. */
  close(): void {
    this.#event.close();
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Asks how a process has ended, and leaves it to be asked again. */
function readExit(calls: SystemCalls, pidfd: number): ProcessExit {
  const bytes = new Uint8Array(siginfo_t.size);
  const info = new DataView(bytes.buffer);
  const options = WEXITED | WNOHANG | WNOWAIT;
  const result = calls.waitid(P_PIDFD, pidfd, bytes, options);
  if (result < 0 || info.getInt32(siginfo_t.si_pid, true) === 0) {
    return { code: null, signal: null };
  }
  const status = info.getInt32(siginfo_t.si_status, true);
  return info.getInt32(siginfo_t.si_code, true) === CLD_EXITED
    ? { code: status, signal: null }
    : { code: null, signal: signalName(status) };
}
