/**
 * One operation on a file: what it was asked for, and its one callback.
 *
 * @module
 */

import type { Bytes } from "../ffi/mod.ts";
import type { FileIo } from "./file_io.ts";

/**
 * Called once with how an operation ended: the count of bytes, 0 for a sync, or
 * the negative errno. A read at the end of the file gives a short count, past it
 * 0. `cookie` is what the operation was started with.
 */
export type FileDone<Cookie> = (result: number, cookie: Cookie) => void;

/** The slot of an operation that the kernel does not have. */
export const NO_SLOT = -1;

/** An operation under way, returned by the verbs of {@linkcode FileIo}. */
export class FileOperation {
  /** @internal What errors of the callback are reported to come from. */
  readonly source: object;
  /** @internal */ readonly opcode: number;
  /** @internal */ readonly fd: number;
  /** @internal Kept, for the kernel's sake, until the operation is done. */
  buffer: Bytes | null;
  /** @internal */ readonly offset: number;
  /** @internal Where it is in the kernel, if it is. */
  slot: number = NO_SLOT;
  readonly #owner: FileIo;
  readonly #done: FileDone<unknown>;
  readonly #cookie: unknown;
  #result = 0;

  /** @internal */
  constructor(
    owner: FileIo,
    opcode: number,
    fd: number,
    buffer: Bytes | null,
    offset: number,
    done: FileDone<unknown>,
    cookie: unknown,
  ) {
    this.source = owner;
    this.#owner = owner;
    this.opcode = opcode;
    this.fd = fd;
    this.buffer = buffer;
    this.offset = offset;
    this.#done = done;
    this.#cookie = cookie;
  }

  /**
   * Cancels the operation, if that is possible. One that waits for its turn never
   * starts. What the kernel has of a file it finishes: io_cancel(2) cancels no
   * reads and writes of files (EINVAL, Linux 6.18). The callback is called in any
   * case, later: with -ECANCELED if this returns true.
   *
   * @returns Whether it is cancelled. False too for what has ended.
   */
  cancel(): boolean {
    return this.#owner.cancel(this);
  }

  /** @internal How it ended. The kernel has done with the memory. */
  settle(result: number): void {
    this.#result = result;
    this.buffer = null;
  }

  /** @internal Calls back. */
  run(): number {
    this.#done(this.#result, this.#cookie);
    return 1;
  }
}

/** Throws a RangeError for what is no integer from 0 to `max`. */
export function checkInteger(
  verb: string,
  what: string,
  value: number,
  max: number,
): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(
      `Cannot ${verb} a file: ${what} must be an integer from 0 to ${max}, and is ${value}`,
    );
  }
}

/** Throws a TypeError for what is no memory. */
export function checkBuffer(verb: string, buffer: Bytes): void {
  if (buffer instanceof Uint8Array) return;
  throw new TypeError(
    `Cannot ${verb} a file: the buffer must be a Uint8Array, and is ${buffer}`,
  );
}
