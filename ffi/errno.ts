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

import * as codes from "./errno_codes.ts";
import { errnoTexts } from "./errno_texts.ts";
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
  location = c.errnoLocation();
  if (c.viewable && location !== null) {
    errnoView = c.runtime.view(location, 1);
    return;
  }
  ({ memcpy } = c.open(
    {
      memcpy: {
        parameters: [
          "buffer", // void *dest
          "pointer", // const void *src
          "u32", // size_t n
        ],
        result: "void",
      },
    } as const,
  ));
  // Compiles it now, and not between a failed call and its errno.
  errnoCopy();
}

let names: Map<number, string> | null = null;

/**
 * The kernel's name of an error number, which may have either sign: "EBADF" for
 * 9 and for -9. A number without a name, such as 999, is "E999".
 */
export function errnoName(errno: number): string {
  const number = Math.abs(errno);
  names ??= new Map(
    Object.entries(codes).map(([name, number]) => [number, name]),
  );
  return names.get(number) ?? `E${number}`;
}

/** What a failed system call was about. */
export interface SystemErrorAbout {
  /** The descriptor it was made on. */
  readonly fd?: number;
  /** The address it was given, as text. */
  readonly address?: string;
}

/**
 * A system call that failed in a way its caller could not expect.
 *
 * ```ts
 * import { EBADF, SystemError } from "@edgewise/epoll/ffi";
 *
 * const error = new SystemError("epoll_ctl", EBADF, { fd: 7 });
 * console.log(error.message);
 * // epoll_ctl: EBADF (bad file descriptor), descriptor 7
 * ```
 */
export class SystemError extends Error {
  /** "SystemError". */
  override readonly name = "SystemError";
  /** The kernel's name of the error, such as "EBADF". */
  readonly code: string;
  /** The error number, positive. */
  readonly errno: number;
  /** The call that failed, such as "epoll_ctl". */
  readonly syscall: string;
  /** The descriptor concerned, where there is one. */
  declare readonly fd?: number;
  /** The address concerned, where there is one. */
  declare readonly address?: string;

  /** The failure of `syscall` with `errno`, which may have either sign. */
  constructor(syscall: string, errno: number, about: SystemErrorAbout = {}) {
    const number = Math.abs(errno);
    const code = errnoName(number);
    const text = errnoTexts[number];
    super([
      `${syscall}: ${code}${text === undefined ? "" : ` (${text})`}`,
      ...(about.fd === undefined ? [] : [`descriptor ${about.fd}`]),
      ...(about.address === undefined ? [] : [`address ${about.address}`]),
    ].join(", "));
    this.code = code;
    this.errno = number;
    this.syscall = syscall;
    if (about.fd !== undefined) this.fd = about.fd;
    if (about.address !== undefined) this.address = about.address;
  }
}

/**
 * Returns the result of a system call. Throws SystemError if it is negative.
 *
 * ```ts
 * import { check, close, epoll_create1 } from "@edgewise/epoll/ffi";
 *
 * close(check(epoll_create1(), "epoll_create1"));
 * ```
 */
export function check(
  result: number,
  syscall: string,
  about?: SystemErrorAbout,
): number {
  if (result < 0) throw new SystemError(syscall, result, about);
  return result;
}
