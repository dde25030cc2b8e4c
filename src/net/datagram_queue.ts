/**
 * Datagrams that wait for the next sendmmsg(2): copies, one behind the other,
 * each after the address that it goes to.
 *
 * @module
 */

import { decodeAddress, MessageVector, MSG_NOSIGNAL } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import type { DatagramPeer } from "./datagram_peer.ts";
import { addressText } from "./socket.ts";

/** Memory to begin with; it doubles up to the limit. */
const BYTES_MIN = 16 * 1024;

/** The most that one sendmmsg(2) takes (UIO_MAXIOV). */
export const MESSAGES_MAX = 1024;

/** A bounded queue of datagrams. */
export class DatagramQueue {
  readonly #queueMax: number;
  readonly #bytesMax: number;
  /** Memory that is kept when nothing waits. */
  readonly #memoryMax: number;
  /** Where each datagram's address begins, and how long its data are. */
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  #memory: Uint8Array<ArrayBuffer>;
  #words: Int32Array;
  #vector: MessageVector;
  #first = 0;
  #end = 0;
  /** Where the next datagram goes. */
  #used = 0;

  constructor(queueMax: number, bytesMax: number) {
    this.#queueMax = queueMax;
    this.#bytesMax = bytesMax;
    this.#memoryMax = Math.max(BYTES_MIN, aligned(bytesMax));
    this.#starts = new Int32Array(queueMax);
    this.#lengths = new Int32Array(queueMax);
    this.#memory = new Uint8Array(BYTES_MIN);
    this.#words = new Int32Array(this.#memory.buffer);
    this.#vector = new MessageVector(queueMax, this.#memory);
  }

  /** The datagrams that wait. */
  get length(): number {
    return this.#end - this.#first;
  }

  /**
   * Adds a copy of a datagram, or returns false if there is no room. One that
   * is larger than the limit has room when it is alone.
   */
  push(bytes: Uint8Array, to: DatagramPeer | null): boolean {
    const nameLength = to === null ? 0 : to.length;
    const data = this.#used + aligned(nameLength);
    const used = data + aligned(bytes.length);
    if (this.#end === this.#queueMax) return false;
    if (used > this.#memory.length) {
      if (used > this.#bytesMax && this.length > 0) return false;
      this.#grow(used);
      return this.push(bytes, to);
    }
    const index = this.#end++;
    if (to !== null) this.#copyName(to);
    this.#memory.set(bytes, data);
    this.#starts[index] = this.#used;
    this.#lengths[index] = bytes.length;
    this.#vector.set(index, this.#used, nameLength, data, bytes.length);
    this.#used = used;
    return true;
  }

  /** Sends in one call. Returns the datagrams sent, or the negative errno. */
  send(parts: EngineParts, fd: number): number {
    return parts.calls.sendmmsg(
      fd,
      this.#vector,
      this.#first,
      Math.min(this.length, MESSAGES_MAX),
      MSG_NOSIGNAL,
    );
  }

  /** Drops the first `count` datagrams. */
  drop(count: number): void {
    this.#first += count;
    if (this.#first === this.#end) this.clear();
  }

  /** Drops all. */
  clear(): void {
    this.#first = 0;
    this.#end = 0;
    this.#used = 0;
    if (this.#memory.length > this.#memoryMax) this.#use(BYTES_MIN);
  }

  /** Where the first datagram goes, as text; undefined for the socket's peer. */
  firstAddress(): string | undefined {
    const length = this.#vector.nameLength(this.#first);
    if (length === 0) return undefined;
    const start = this.#starts[this.#first];
    const name = this.#memory.subarray(start, start + length);
    return addressText(decodeAddress(name));
  }

  #copyName(to: DatagramPeer): void {
    const { words, start } = to;
    const count = (to.length + 3) >> 2;
    const at = this.#used >> 2;
    for (let index = 0; index < count; index++) {
      this.#words[at + index] = words[start + index];
    }
  }

  #grow(bytes: number): void {
    const doubled = Math.min(2 * this.#memory.length, this.#memoryMax);
    this.#use(Math.max(doubled, bytes));
  }

  /** Goes on in other memory: what waits is moved, to the start of the queue. */
  #use(bytes: number): void {
    const from = this.#memory;
    const names = this.#vector;
    const [first, end] = [this.#first, this.#end];
    this.#memory = new Uint8Array(bytes);
    this.#words = new Int32Array(this.#memory.buffer);
    this.#vector = new MessageVector(this.#queueMax, this.#memory);
    this.#first = 0;
    this.#end = 0;
    this.#used = 0;
    for (let index = first; index < end; index++) {
      const nameLength = names.nameLength(index);
      const start = this.#starts[index];
      const length = this.#lengths[index];
      const size = aligned(nameLength) + aligned(length);
      this.#memory.set(from.subarray(start, start + size), this.#used);
      const data = this.#used + aligned(nameLength);
      this.#starts[this.#end] = this.#used;
      this.#lengths[this.#end] = length;
      this.#vector.set(this.#end, this.#used, nameLength, data, length);
      this.#end++;
      this.#used += size;
    }
  }
}

/** Names are copied in words of 4 bytes; 8 suits every structure. */
function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}
