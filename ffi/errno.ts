/**
 * This thread's errno, and what its numbers are called.
 *
 * A failed C function leaves its reason in errno, which any later call of the
 * C library may overwrite, those of the runtime's garbage collector included.
 * It is read in the expression after the call, with no allocation between:
 * `result < 0 ? -(errnoView ?? errnoCopy())[0] : result`.
 *
 * @module
 */

import { getSystemErrorMap } from "node:util";
import { library } from "./library.ts";
import type { BufferArgument, Pointer } from "./runtime.ts";

/**
 * The memory of errno itself; null before {@linkcode prepareErrno}, and where
 * the permission does not cover memory. An isolate, main or worker, stays on
 * one thread for life, so that one view serves it always.
 */
export let errnoView: Int32Array | null = null;

const copy = new Int32Array(1);
let location: Pointer | null = null;
let memcpy:
  | (
    (to: BufferArgument, from: Pointer | null, bytes: number) => void
  )
  | null = null;

/** A copy of errno, for the permission that covers no memory (20 ns). */
export function errnoCopy(): Int32Array {
  memcpy?.(copy, location, 4);
  return copy;
}

/** Makes errno readable in this isolate. Called before the first system call. */
export function prepareErrno(): void {
  if (location !== null) return;
  const c = library();
  const symbols = c.open(
    {
      // int *__errno_location(void)
      __errno_location: { parameters: [], result: "pointer" },
      memcpy: {
        parameters: [
          "buffer", // void *dest
          "pointer", // const void *src
          "u32", // size_t n
        ],
        result: "void",
      },
    } as const,
  );
  location = symbols.__errno_location();
  memcpy = symbols.memcpy;
  // Compiles it now, and not between a failed call and its errno.
  errnoCopy();
  if (c.viewable && location !== null) {
    errnoView = c.runtime.view(location, 1);
  }
}

/** The name of an error number, such as "EBADF" for 9. Takes either sign. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-Math.abs(errno))?.[0] ??
    `E${Math.abs(errno)}`;
}

/** What a failed system call was about. */
export interface SystemErrorAbout {
  /** The descriptor it was made on. */
  readonly fd?: number;
  /** The address it was given, as text. */
  readonly address?: string;
}

/** A system call that failed in a way its caller could not expect. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** The error's name, such as "EBADF". */
  readonly code: string;
  /** The error's number, positive. */
  readonly errno: number;
  /** The call that failed, such as "epoll_ctl". */
  readonly syscall: string;
  /** The descriptor concerned, where there is one. */
  readonly fd?: number;
  /** The address concerned, where there is one. */
  readonly address?: string;

  /** `errno` may have either sign. */
  constructor(syscall: string, errno: number, about: SystemErrorAbout = {}) {
    const code = errnoName(errno);
    const description = getSystemErrorMap().get(-Math.abs(errno))?.[1];
    super(
      `${syscall}: ${code}` +
        (description === undefined ? "" : ` (${description})`) +
        (about.fd === undefined ? "" : `, descriptor ${about.fd}`) +
        (about.address === undefined ? "" : `, address ${about.address}`),
    );
    this.code = code;
    this.errno = Math.abs(errno);
    this.syscall = syscall;
    if (about.fd !== undefined) this.fd = about.fd;
    if (about.address !== undefined) this.address = about.address;
  }
}

/** Returns the result of a system call, and throws SystemError if it is negative. */
export function check(
  result: number,
  syscall: string,
  about?: SystemErrorAbout,
): number {
  if (result < 0) throw new SystemError(syscall, result, about);
  return result;
}
