/** Calls on any descriptor, and on files and directories. @module */

import {
  cString,
  int32,
  type Memory,
  requireRoom,
  transferSize,
  uint32,
} from "./arguments.ts";
import { SYS_getdents64 } from "./constants_process.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { architecture, dirent64 } from "./layout.ts";
import {
  directories,
  epoll,
  eventfds,
  files,
  fileStatus,
  moreFiles,
} from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/**
 * read(2): fills `buffer` from the start. Returns the count of bytes, 0 at end
 * of file, or the negative errno.
 */
export function read(fd: number, buffer: Bytes): number {
  const count = files.c.read(int32(fd), buffer, transferSize(buffer));
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/**
 * write(2): writes `buffer`, or the first part of it. Returns the count of
 * bytes, or the negative errno.
 */
export function write(fd: number, buffer: Bytes): number {
  const count = files.c.write(int32(fd), buffer, transferSize(buffer));
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** close(2). Returns 0, or the negative errno; the descriptor is gone after EINTR too. */
export function close(fd: number): number {
  const result = epoll.c.close(int32(fd));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * fcntl(2) with an integer argument, for commands such as F_GETFL or
 * F_DUPFD_CLOEXEC. Returns the command's result, or the negative errno.
 */
export function fcntl(fd: number, command: number, argument = 0): number {
  const result = files.c.fcntl(int32(fd), int32(command), int32(argument));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * eventfd(2): a counter of 64 bits that starts at `initval`. Returns the
 * descriptor, or the negative errno.
 */
export function eventfd(initval = 0, flags = 0): number {
  const fd = eventfds.c.eventfd(uint32(initval), int32(flags));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/**
 * open(2). `mode` matters where O_CREAT makes a file. Returns the descriptor,
 * or the negative errno. It takes Deno's permission for FFI alone.
 */
export function open(path: string, flags: number, mode = 0o600): number {
  const fd = moreFiles.c.open(cString(path), int32(flags), uint32(mode));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/** unlink(2). Returns 0, or the negative errno. */
export function unlink(path: string): number {
  const result = moreFiles.c.unlink(cString(path));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * dup(2). The copy stays open in child programs; F_DUPFD_CLOEXEC makes one
 * that does not. Returns the descriptor, or the negative errno.
 */
export function dup(fd: number): number {
  const copy = moreFiles.c.dup(int32(fd));
  return copy < 0 ? -(errnoView ?? errnoCopy())[0] : copy;
}

/**
 * dup3(2): makes `newFd` a copy of `fd`, closing what it was. `flags` is 0 or
 * O_CLOEXEC. Returns the descriptor, or the negative errno.
 */
export function dup3(fd: number, newFd: number, flags = 0): number {
  const copy = moreFiles.c.dup3(int32(fd), int32(newFd), int32(flags));
  return copy < 0 ? -(errnoView ?? errnoCopy())[0] : copy;
}

/**
 * pipe2(2): puts the reading end into `fds[0]` and the writing end into
 * `fds[1]`. Returns 0, or the negative errno.
 *
 * ```ts
 * import { close, O_CLOEXEC, pipe2, read, write } from "@edgewise/epoll/ffi";
 *
 * const fds = new Int32Array(2);
 * pipe2(fds, O_CLOEXEC);
 * const [reader, writer] = fds;
 * console.log(write(writer, new TextEncoder().encode("hello"))); // 5
 * console.log(read(reader, new Uint8Array(16))); // 5
 * close(writer);
 * console.log(read(reader, new Uint8Array(16))); // 0
 * close(reader);
 * ```
 */
export function pipe2(
  fds: Int32Array<ArrayBufferLike>,
  flags = 0,
): number {
  requireRoom(fds, 8, "a pair of descriptors");
  const result = moreFiles.c.pipe2(fds, int32(flags));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * ioctl(2) with memory as its argument, or none. How much memory a request
 * takes is the driver's affair, and not checked. Returns the request's result,
 * or the negative errno.
 */
export function ioctl(
  fd: number,
  request: number,
  argument: Memory | null = null,
): number {
  const result = moreFiles.c.ioctl(int32(fd), uint32(request), argument);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** The number of statx(2), as every C library can call it. */
const SYS_statx = architecture === "x86_64" ? 332 : 291;

/** `struct statx`, of which these fields are in use. */
export const statx_layout = {
  size: 256,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_mtime_sec: 112,
  stx_mtime_nsec: 120,
  stx_dev_major: 136,
  stx_dev_minor: 140,
} as const;

/** statx(2): relative paths start at the working directory. */
export const AT_FDCWD: number = -100;
/** statx(2): a symbolic link itself, not what it leads to. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** statx(2): with an empty path: the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** statx(2): what stat(2) tells. */
export const STATX_BASIC_STATS = 0x7ff;
/** The bits of a mode that say what kind of file it is. */
export const S_IFMT = 0xf000;
/** A socket. */
export const S_IFSOCK = 0xc000;
/** A regular file. */
export const S_IFREG = 0x8000;
/** A directory. */
export const S_IFDIR = 0x4000;

/**
 * statx(2), Linux 4.11: fills a `struct statx`. Returns 0, or the negative
 * errno.
 */
export function statx(
  dirFd: number,
  path: string,
  flags: number,
  mask: number,
  status: Memory,
): number {
  requireRoom(status, statx_layout.size, "struct statx");
  const result = fileStatus.c.statx(
    SYS_statx,
    int32(dirFd),
    cString(path),
    int32(flags),
    uint32(mask),
    status,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

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
