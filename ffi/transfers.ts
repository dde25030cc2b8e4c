/**
 * Calls that move several pieces of memory at once, or bytes that stay outside
 * the process.
 *
 * @module
 */

import { int32, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { transfers, vectors } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** splice(2): move pages instead of copying them, where that is possible. */
export const SPLICE_F_MOVE = 1;
/** splice(2): do not wait for the pipe. */
export const SPLICE_F_NONBLOCK = 2;
/** splice(2): more follows: hold a partial segment back. */
export const SPLICE_F_MORE = 4;

/** The most that Linux moves in one call. */
const TRANSFER_MAX = 0x7ffff000;

/**
 * sendfile(2): sends up to `count` bytes of a file, from `offset[0]` on, which
 * moves on by what was sent, or with null from the file's own position on.
 * Offsets have 64 bits. Returns the count of bytes, 0 at end of file, or the
 * negative errno.
 */
export function sendfile(
  outFd: number,
  inFd: number,
  offset: BigInt64Array<ArrayBufferLike> | null,
  count: number,
): number {
  const sent = transfers.c.sendfile(
    int32(outFd),
    int32(inFd),
    offset === null || offset.length > 0 ? offset : refuse(),
    Math.min(uint32(count), TRANSFER_MAX),
  );
  return sent < 0 ? -(errnoView ?? errnoCopy())[0] : sent;
}

/**
 * splice(2): moves up to `count` bytes from one descriptor to another, of which
 * one has to be a pipe. Returns the count of bytes, 0 at end of file, or the
 * negative errno.
 *
 * ```ts
 * import { close, pipe2, read, splice, write } from "@edgewise/epoll/ffi";
 *
 * const fds = new Int32Array(4);
 * pipe2(fds.subarray(0, 2));
 * pipe2(fds.subarray(2, 4));
 * write(fds[1], new TextEncoder().encode("hello"));
 * console.log(splice(fds[0], fds[3], 4096, 0)); // 5
 * console.log(read(fds[2], new Uint8Array(16))); // 5
 * for (const fd of fds) close(fd);
 * ```
 */
export function splice(
  inFd: number,
  outFd: number,
  count: number,
  flags = 0,
): number {
  const moved = transfers.c.splice(
    int32(inFd),
    null,
    int32(outFd),
    null,
    Math.min(uint32(count), TRANSFER_MAX),
    uint32(flags),
  );
  return moved < 0 ? -(errnoView ?? errnoCopy())[0] : moved;
}

function refuse(): never {
  throw new RangeError(
    "Cannot make a system call: an offset takes 1 element, the current length is 0",
  );
}

/** The most pieces of one call: IOV_MAX. */
const PIECES_MAX = 1024;

// An array of struct iovec: an address, then a length, each of 64 bits.
const iovec = new BigUint64Array(2 * PIECES_MAX);
const words = new Uint32Array(iovec.buffer);

/** The address of memory. The caller keeps it alive. */
export function addressOf(memory: Bytes): bigint {
  // A small array lives among the runtime's objects and moves, until its
  // buffer is asked for (V8).
  return memory.buffer === null ? 0n : vectors.c.memset(memory, 0, 0);
}

function fillIovec(chunks: readonly Bytes[], count: number): void {
  if (uint32(count) > chunks.length || count > PIECES_MAX) {
    throw new RangeError(
      `Cannot move ${count} chunks: one call takes ${PIECES_MAX}, and there are ${chunks.length}`,
    );
  }
  for (let index = 0; index < count; index++) {
    const chunk = chunks[index];
    iovec[2 * index] = addressOf(chunk);
    // The low word; the high one stays 0. A bigint would cost as much as all else.
    words[4 * index + 2] = chunk.byteLength;
  }
}

/**
 * writev(2) of the first `count` chunks, at most 1,024. Returns the count of
 * bytes, or the negative errno.
 */
export function writev(
  fd: number,
  chunks: readonly Bytes[],
  count: number = chunks.length,
): number {
  fillIovec(chunks, count);
  const written = vectors.c.writev(int32(fd), iovec, count);
  return written < 0 ? -(errnoView ?? errnoCopy())[0] : written;
}

/**
 * readv(2) into the first `count` chunks, at most 1,024. Returns the count of
 * bytes, 0 at end of file, or the negative errno.
 */
export function readv(
  fd: number,
  chunks: readonly Bytes[],
  count: number = chunks.length,
): number {
  fillIovec(chunks, count);
  const got = vectors.c.readv(int32(fd), iovec, count);
  return got < 0 ? -(errnoView ?? errnoCopy())[0] : got;
}
