/**
 * Sending from the user's own memory, while the kernel takes it.
 *
 * @module
 */

import { type Bytes, EAGAIN, EINTR, MSG_NOSIGNAL } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";

/** Bytes sent in one go before other descriptors have their turn. */
const DIRECT_MAX_BYTES = 8 * 1024 * 1024;

/** Chunks that one writev(2) takes: IOV_MAX. */
const CHUNKS_MAX = 1024;

/**
 * Sends until all is sent or it would block: the kernel reports room again only
 * to those who have met EAGAIN. Stops early where it would go on for long, with
 * `writeReady` still set. Returns the bytes sent, or the negative errno.
 */
export function sendBytes(event: FdEvent, bytes: Bytes): number {
  const { calls } = event.parts;
  let sent = 0;
  while (sent < bytes.length && sent < DIRECT_MAX_BYTES) {
    const count = calls.send(
      event.fd,
      sent === 0 ? bytes : bytes.subarray(sent),
      MSG_NOSIGNAL,
    );
    if (count >= 0) {
      sent += count;
    } else if (count === -EAGAIN) {
      event.writeReady = false;
      return sent;
    } else if (count !== -EINTR) {
      return count;
    }
  }
  return sent;
}

/**
 * Sends chunks with one writev(2) for up to 1024 of them, and the rest of one
 * that was cut as `sendBytes` does. Returns the bytes sent, or the negative errno.
 */
export function sendChunks(event: FdEvent, chunks: readonly Bytes[]): number {
  let sent = 0;
  let next = 0;
  while (next < chunks.length && sent < DIRECT_MAX_BYTES) {
    const batch = chunks.length - next > CHUNKS_MAX || next > 0
      ? chunks.slice(next, next + CHUNKS_MAX)
      : chunks;
    const count = event.parts.calls.writev(event.fd, batch, batch.length);
    if (count === -EINTR) continue;
    if (count === -EAGAIN) {
      event.writeReady = false;
      return sent;
    }
    if (count < 0) return count;
    sent += count;
    let left = count;
    while (next < chunks.length && left >= chunks[next].length) {
      left -= chunks[next].length;
      next++;
    }
    if (left === 0) continue;
    const rest = sendBytes(event, chunks[next].subarray(left));
    if (rest < 0) return rest;
    sent += rest;
    if (left + rest < chunks[next].length) return sent;
    next++;
  }
  return sent;
}
