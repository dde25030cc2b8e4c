/** Calls on any descriptor, and on files. @module */

import {
  cString,
  int32,
  type Memory,
  requireRoom,
  transferSize,
  uint32,
} from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { epoll, eventfds, files, moreFiles } from "./libc.ts";
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
