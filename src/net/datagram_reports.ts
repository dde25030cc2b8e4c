/**
 * The callbacks of a datagram socket that tell of errors, and the last: that it
 * is closed.
 *
 * @module
 */

import { SystemError } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { CLOSE_QUEUE, type Task, TASK_WORK } from "../work_queue.ts";
import type { Datagram } from "./datagram.ts";
import type { DatagramHandlers } from "./datagram_open.ts";

/** Errors that wait to be told; more of them are counted only. */
const ERRORS_MAX = 64;

/** Waits in the close queue, so that no handler runs inside a verb. */
export class DatagramReports implements Task {
  readonly source: Datagram;
  /** Errors so far. */
  count = 0;
  readonly #parts: EngineParts;
  readonly #handlers: DatagramHandlers;
  readonly #errors: SystemError[] = [];
  #queued = false;
  #closed = false;

  constructor(
    source: Datagram,
    parts: EngineParts,
    handlers: DatagramHandlers,
  ) {
    this.source = source;
    this.#parts = parts;
    this.#handlers = handlers;
  }

  /** Has the failure of a system call told, if somebody listens. */
  failed(syscall: string, errno: number, fd: number, address?: string): void {
    const about = address === undefined ? { fd } : { fd, address };
    if (this.#counts()) this.#tell(new SystemError(syscall, errno, about));
  }

  /** Has an error told likewise. */
  report(error: SystemError): void {
    if (this.#counts()) this.#tell(error);
  }

  /** Has it told, after the errors, that the socket is closed. */
  close(): void {
    this.#closed = true;
    this.#queue();
  }

  run(): number {
    this.#queued = false;
    const error = this.#errors.shift();
    if (error !== undefined) {
      // Before the handler, which may throw.
      if (this.#errors.length > 0 || this.#closed) this.#queue();
      this.#handlers.error?.(this.source, error);
      return 1;
    }
    if (this.#handlers.close === undefined) return 0;
    this.#handlers.close(this.source);
    return 1;
  }

  #counts(): boolean {
    this.count++;
    return this.#handlers.error !== undefined &&
      this.#errors.length < ERRORS_MAX;
  }

  #tell(error: SystemError): void {
    this.#errors.push(error);
    this.#queue();
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#parts.queues.push(CLOSE_QUEUE, this, TASK_WORK);
    this.#parts.touched();
  }
}
