/** Directories and symbolic links. @module */

import { cString, int32 } from "./arguments.ts";
import { SYS_getdents64 } from "./constants_process.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { dirent64 } from "./layout_process.ts";
import { directories } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/**
 * getdents64(2): fills `buffer` with entries of an open directory, which
 * {@linkcode entryNames} reads. Returns the bytes filled, 0 at the end, or the
 * negative errno.
 */
export function getdents64(fd: number, buffer: Bytes): number {
  const count = directories.c.getdents64(
    SYS_getdents64,
    int32(fd),
    buffer,
    buffer.byteLength,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** The names of the entries that fill `filled`. */
export function entryNames(filled: Bytes): string[] {
  const view = new DataView(
    filled.buffer,
    filled.byteOffset,
    filled.byteLength,
  );
  const names: string[] = [];
  const decoder = new TextDecoder();
  let at = 0;
  while (at < filled.byteLength) {
    const next = at + view.getUint16(at + dirent64.d_reclen, true);
    const name = filled.subarray(at + dirent64.d_name, next);
    names.push(decoder.decode(name.slice(0, name.indexOf(0))));
    at = next;
  }
  return names;
}

/**
 * readlink(2): fills `buffer` with where a symbolic link leads, without a NUL,
 * cut to what it holds. Returns the bytes filled, or the negative errno.
 */
export function readlink(path: string, buffer: Bytes): number {
  const count = directories.c.readlink(
    cString(path),
    buffer,
    buffer.byteLength,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}
