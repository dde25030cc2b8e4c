/** Calls that move several pieces of memory at once. @module */

import { int32, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { vectors } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

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
