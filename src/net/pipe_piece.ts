/**
 * A pipe between two sockets: what one sends goes to the other by splice(2),
 * without coming into the process.
 *
 * @module
 */

import {
  F_SETPIPE_SZ,
  O_CLOEXEC,
  O_NONBLOCK,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  SystemError,
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { Piece } from "./send_queue.ts";

/** What a pipe may hold; the system may grant less. */
const PIPE_BYTES = 256 * 1024;

/** What has come in and not gone out. Filled when it is empty, and only then. */
export class PipePiece implements Piece {
  next: Piece | null = null;
  readonly syscall = "splice";
  readonly copied = false;
  readonly owned = false;

  readonly #calls: SystemCalls;
  readonly #reader: number;
  readonly #writer: number;
  readonly #emptied: () => void;
  #bytes = 0;
  #closed = false;

  /**
   * `emptied` is called when all has gone out. Throws SystemError where there is
   * no descriptor left.
   */
  constructor(calls: SystemCalls, emptied: () => void) {
    const fds = new Int32Array(2);
    const result = calls.pipe2(fds, O_CLOEXEC | O_NONBLOCK);
    if (result < 0) throw new SystemError("pipe2", result);
    this.#calls = calls;
    this.#reader = fds[0];
    this.#writer = fds[1];
    this.#emptied = emptied;
    // Where that is refused, it stays smaller.
    calls.fcntl(this.#writer, F_SETPIPE_SZ, PIPE_BYTES);
  }

  /** Whether there is nothing in it. */
  get sent(): boolean {
    return this.#bytes === 0;
  }

  /** Takes in what a socket has: the count, 0 at end of file, or the errno. */
  fill(fd: number): number {
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const count = this.#calls.splice(fd, this.#writer, PIPE_BYTES, flags);
    if (count > 0) this.#bytes = count;
    return count;
  }

  send(calls: SystemCalls, fd: number, bytesMax: number): number {
    const bytes = Math.min(this.#bytes, bytesMax);
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const count = calls.splice(this.#reader, fd, bytes, flags);
    if (count > 0) this.#bytes -= count;
    return count;
  }

  /** It is out of a queue: sent, or dropped with the queue. */
  close(): void {
    if (this.#bytes === 0) this.#emptied();
  }

  /** Closes the pipe. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close(this.#reader);
    this.#calls.close(this.#writer);
  }
}
