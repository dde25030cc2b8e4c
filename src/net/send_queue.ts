/**
 * Sending: straight to the kernel while it takes all, and from a bounded queue
 * of copies once it does not.
 *
 * @module
 */

import { type Bytes, EAGAIN, EINTR, MSG_NOSIGNAL } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";

/**
 * Sends until all is sent or it would block: the kernel reports room again only
 * to those who have met EAGAIN. Returns the bytes sent, or the negative errno.
 */
export function sendAll(event: FdEvent, bytes: Bytes): number {
  const calls = event.parts.calls;
  let sent = calls.send(event.fd, bytes, MSG_NOSIGNAL);
  if (sent === bytes.length) return sent;
  if (sent < 0) {
    if (sent === -EAGAIN) event.writeReady = false;
    else if (sent !== -EINTR) return sent;
    else return sendAll(event, bytes);
    return 0;
  }
  while (sent < bytes.length) {
    const count = calls.send(event.fd, bytes.subarray(sent), MSG_NOSIGNAL);
    if (count >= 0) sent += count;
    else if (count === -EAGAIN) {
      event.writeReady = false;
      return sent;
    } else if (count !== -EINTR) return count;
  }
  return sent;
}

/** A bounded queue of bytes that the kernel has not taken yet. */
export class SendQueue {
  readonly #chunks: Bytes[] = [];
  #length = 0;

  /** Bytes queued. */
  get length(): number {
    return this.#length;
  }

  /**
   * Queues a copy of as much of `bytes`, from `offset` on, as `bytesMax` leaves
   * room for. Returns the count.
   */
  push(bytes: Bytes, offset: number, bytesMax: number): number {
    const count = Math.min(bytes.length - offset, bytesMax - this.#length);
    if (count <= 0) return 0;
    this.#chunks.push(bytes.slice(offset, offset + count));
    this.#length += count;
    return count;
  }

  /**
   * Sends what is queued, until it would block or `budgetBytes` are sent.
   * Returns the bytes sent, or the negative errno.
   */
  flush(event: FdEvent, budgetBytes: number): number {
    let total = 0;
    while (this.#length > 0 && total < budgetBytes) {
      const first = this.#chunks[0];
      const sent = sendAll(event, first);
      if (sent < 0) return sent;
      total += sent;
      this.#length -= sent;
      if (sent < first.length) {
        this.#chunks[0] = first.subarray(sent);
        return total;
      }
      this.#chunks.shift();
    }
    return total;
  }

  /** Drops everything. */
  clear(): void {
    this.#chunks.length = 0;
    this.#length = 0;
  }
}
