/** Calls on any descriptor. @module */

import { errnoCopy, errnoView } from "./errno.ts";
import { eventfds, files, vectors } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** read(2). Returns the count, 0 at end of file, or the negative errno. */
export function read(fd: number, buffer: Bytes): number {
  const count = files.c.read(fd, buffer, buffer.byteLength);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** write(2). Returns the count, or the negative errno. */
export function write(fd: number, buffer: Bytes): number {
  const count = files.c.write(fd, buffer, buffer.byteLength);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** close(2). Returns 0, or the negative errno. */
export function close(fd: number): number {
  const result = files.c.close(fd);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** fcntl(2) with an integer argument. Returns the command's result, or the negative errno. */
export function fcntl(fd: number, command: number, argument = 0): number {
  const result = files.c.fcntl(fd, command, argument);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** eventfd(2). Returns the descriptor, or the negative errno. */
export function eventfd(initval: number, flags = 0): number {
  const fd = eventfds.c.eventfd(initval, flags);
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

// struct iovec: an address, then a length, each of 64 bits.
let iovec = new BigUint64Array(2 * 64);

function fillIovec(chunks: readonly Bytes[], count: number): void {
  if (iovec.length < 2 * count) iovec = new BigUint64Array(2 * count);
  for (let index = 0; index < count; index++) {
    const chunk = chunks[index];
    // A small array lives in the runtime's heap and moves, until its buffer is asked for.
    chunk.buffer;
    iovec[2 * index] = vectors.c.memset(chunk, 0, 0);
    iovec[2 * index + 1] = BigInt(chunk.byteLength);
  }
}

/** writev(2) of the first `count` chunks. Returns the count of bytes, or the negative errno. */
export function writev(
  fd: number,
  chunks: readonly Bytes[],
  count: number = chunks.length,
): number {
  fillIovec(chunks, count);
  const written = vectors.c.writev(fd, iovec, count);
  return written < 0 ? -(errnoView ?? errnoCopy())[0] : written;
}

/** readv(2) into the first `count` chunks. Returns the count of bytes, 0 at end of file, or the negative errno. */
export function readv(
  fd: number,
  chunks: readonly Bytes[],
  count: number = chunks.length,
): number {
  fillIovec(chunks, count);
  const got = vectors.c.readv(fd, iovec, count);
  return got < 0 ? -(errnoView ?? errnoCopy())[0] : got;
}
