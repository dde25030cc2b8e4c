/**
 * What one recvmmsg(2) brings. A socket has a batch from receiving to the last
 * handler's return; then others of the engine use it.
 *
 * @module
 */

import { MessageVector, MSG_TRUNC } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { ADDRESS_BYTES, DatagramPeer } from "./datagram_socket.ts";

/** Views kept for each message, so that few lengths in turn allocate nothing. */
const VIEWS = 8;

/** Batches that a pool keeps: the rest served a burst of sockets that paused. */
const POOLED_MAX = 4;

/** Room for messages and their senders, and a cursor over what was received. */
export class ReceiveBatch {
  /** Messages received. */
  count = 0;
  /** The first that was not handed over. */
  next = 0;

  readonly #messageMax: number;
  readonly #stride: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #vector: MessageVector;
  readonly #peers: readonly DatagramPeer[];
  readonly #views: (Uint8Array | null)[];

  constructor(batchMax: number, messageMax: number) {
    this.#messageMax = messageMax;
    // Beside its address each message begins in another set of the cache.
    this.#stride = ADDRESS_BYTES + ((messageMax + 7) & ~7);
    this.#bytes = new Uint8Array(batchMax * this.#stride);
    this.#vector = new MessageVector(batchMax, this.#bytes);
    const words = new Int32Array(this.#bytes.buffer);
    this.#peers = Array.from({ length: batchMax }, (_, index) => {
      const at = index * this.#stride;
      const data = at + ADDRESS_BYTES;
      this.#vector.set(index, at, ADDRESS_BYTES, data, messageMax);
      return new DatagramPeer(words, at >> 2, 0);
    });
    this.#views = new Array(batchMax * VIEWS).fill(null);
  }

  /** Receives in one call. Returns the messages, or the negative errno. */
  receive(parts: EngineParts, fd: number): number {
    this.#vector.restoreNames(this.count);
    const max = this.#vector.messagesMax;
    const count = parts.calls.recvmmsg(fd, this.#vector, max, MSG_TRUNC);
    this.count = Math.max(count, 0);
    this.next = 0;
    return count;
  }

  /** The length that a message had when it was sent. */
  length(index: number): number {
    return this.#vector.length(index);
  }

  /** The bytes of a message, cut where they did not fit. */
  chunk(index: number): Uint8Array {
    const length = Math.min(this.#vector.length(index), this.#messageMax);
    const place = index * VIEWS + (length & (VIEWS - 1));
    const kept = this.#views[place];
    if (kept !== null && kept.length === length) return kept;
    const start = index * this.#stride + ADDRESS_BYTES;
    const view = this.#bytes.subarray(start, start + length);
    this.#views[place] = view;
    return view;
  }

  /** The sender of a message. */
  peer(index: number): DatagramPeer {
    const peer = this.#peers[index];
    peer.length = this.#vector.nameLength(index);
    return peer;
  }
}

/** Batches of one size. */
export class BatchPool {
  readonly batchMax: number;
  readonly #messageMax: number;
  readonly #free: ReceiveBatch[] = [];

  constructor(batchMax: number, messageMax: number) {
    this.batchMax = batchMax;
    this.#messageMax = messageMax;
  }

  take(): ReceiveBatch {
    return this.#free.pop() ??
      new ReceiveBatch(this.batchMax, this.#messageMax);
  }

  release(batch: ReceiveBatch): void {
    if (this.#free.length < POOLED_MAX) this.#free.push(batch);
  }
}

const pools = new WeakMap<EngineParts, Map<string, BatchPool>>();

/** The engine's batches of this size, which its sockets share. */
export function batchPool(
  parts: EngineParts,
  batchMax: number,
  messageMax: number,
): BatchPool {
  const sizes = pools.get(parts) ?? new Map<string, BatchPool>();
  pools.set(parts, sizes);
  const size = `${batchMax} × ${messageMax}`;
  const pool = sizes.get(size) ?? new BatchPool(batchMax, messageMax);
  sizes.set(size, pool);
  return pool;
}
