/**
 * This process as /proc shows it. Read through libc: Deno's own file functions
 * refuse /proc/self without full permission (2.9).
 *
 * @module
 */

import {
  entryNames,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  SystemError,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";

/** The calls that reading /proc takes. */
export type ProcCalls = Pick<
  SystemCalls,
  "open" | "read" | "close" | "getdents64"
>;

const CHUNK_BYTES = 4096;

/**
 * The whole of a file.
 *
 * @throws {SystemError} Such as `ENOENT` or `ESRCH` where the process or thread
 * is gone.
 */
export function readProc(calls: ProcCalls, path: string): Uint8Array {
  return withOpen(calls, path, O_RDONLY, (fd) => {
    let bytes = new Uint8Array(CHUNK_BYTES);
    let length = 0;
    for (;;) {
      const count = calls.read(fd, bytes.subarray(length));
      if (count < 0) throw new SystemError("read", count, { address: path });
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length < bytes.length) continue;
      const larger = new Uint8Array(2 * bytes.length);
      larger.set(bytes);
      bytes = larger;
    }
  });
}

/**
 * The entries of a directory, without those of its own and of its parent.
 *
 * @throws {SystemError} Such as `ENOENT` where /proc is not mounted.
 */
export function listProc(calls: ProcCalls, path: string): string[] {
  return withOpen(calls, path, O_RDONLY | O_DIRECTORY, (fd) => {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const names: string[] = [];
    for (;;) {
      const count = calls.getdents64(fd, buffer);
      if (count < 0) {
        throw new SystemError("getdents64", count, { address: path });
      }
      if (count === 0) return names.filter((name) => !/^\.\.?$/.test(name));
      names.push(...entryNames(buffer.subarray(0, count)));
    }
  });
}

function withOpen<T>(
  calls: ProcCalls,
  path: string,
  flags: number,
  use: (fd: number) => T,
): T {
  const fd = calls.open(path, flags | O_CLOEXEC);
  if (fd < 0) throw new SystemError("open", fd, { address: path });
  try {
    return use(fd);
  } finally {
    calls.close(fd);
  }
}
