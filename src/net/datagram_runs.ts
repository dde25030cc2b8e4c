/**
 * Datagrams in memory of a fixed size, in runs of one length to one address.
 * The kernel takes a run as one message and sends its segments as datagrams
 * (UDP_SEGMENT), which costs it much less than one after the other.
 *
 * @module
 */

import {
  decodeAddress,
  MessageVector,
  MSG_NOSIGNAL,
  SEGMENTS_SPACE,
} from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { DatagramPeer } from "./datagram_socket.ts";
import { addressText } from "./socket.ts";

/** The most messages that one sendmmsg(2) takes (UIO_MAXIOV). */
const MESSAGES_MAX = 1024;

/** Datagrams of a run: UDP_MAX_SEGMENTS of Linux 4.18. */
const RUN_MAX = 64;

/** Bytes of a run, below those of the longest datagram. */
const RUN_BYTES_MAX = 64_000;

/** What every link of IPv6 carries whole: longer ones are left to fragmentation. */
const SEGMENT_BYTES_MAX = 1232;

/** Runs of datagrams, each behind the address that it goes to. */
export class DatagramRuns {
  /** Bytes of memory. */
  readonly size: number;
  /** The datagrams that wait. */
  length = 0;
  /** Datagrams taken since nothing waited, and the memory used for them. */
  taken = 0;
  used = 0;

  /** Whether a run may have more than one datagram. */
  readonly merges: boolean;
  readonly #runsMax: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #vector: MessageVector;
  // Of each run: its address, where its data begin, the length of each of its
  // datagrams, and how many they are.
  readonly #names: Int32Array;
  readonly #nameLengths: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #counts: Int32Array;
  /** Those that wait are from here to the end. */
  #first = 0;
  #end = 0;

  constructor(runsMax: number, size: number, merges: boolean) {
    this.size = aligned(size);
    this.merges = merges;
    this.#runsMax = runsMax;
    this.#bytes = new Uint8Array(this.size);
    this.#words = new Int32Array(this.#bytes.buffer);
    this.#vector = new MessageVector(runsMax, this.#bytes);
    this.#names = new Int32Array(runsMax);
    this.#nameLengths = new Int32Array(runsMax);
    this.#starts = new Int32Array(runsMax);
    this.#lengths = new Int32Array(runsMax);
    this.#counts = new Int32Array(runsMax);
  }

  /** Adds a copy of a datagram, or returns false if there is no room. */
  push(bytes: Uint8Array, to: DatagramPeer | null): boolean {
    const { length } = bytes;
    const start = this.#continues(length, to)
      ? this.used
      : this.#begin(length, to);
    if (start < 0 || start + length > this.size) return false;
    this.#bytes.set(bytes, start);
    this.#counts[this.#end - 1]++;
    this.used = start + length;
    this.taken++;
    this.length++;
    return true;
  }

  /**
   * Sends in one call, and drops what was sent. Returns the messages sent, or
   * the negative errno if the first run can't be sent.
   */
  send(parts: EngineParts, fd: number): number {
    const runs = Math.min(this.#end - this.#first, MESSAGES_MAX);
    for (let run = 0; run < runs; run++) this.#fill(this.#first + run);
    const { calls } = parts;
    const sent = calls.sendmmsg(
      fd,
      this.#vector,
      this.#first,
      runs,
      MSG_NOSIGNAL,
    );
    for (let run = 0; run < sent; run++) this.drop();
    return sent;
  }

  /** Drops the first run. */
  drop(): void {
    this.length -= this.#counts[this.#first++];
    if (this.#first !== this.#end) return;
    this.#first = 0;
    this.#end = 0;
    this.taken = 0;
    this.used = 0;
  }

  /** How many datagrams the first run has. */
  get firstCount(): number {
    return this.#counts[this.#first];
  }

  /** Where the first run goes, as text; undefined for the socket's peer. */
  get firstAddress(): string | undefined {
    const length = this.#nameLengths[this.#first];
    if (length === 0) return undefined;
    const at = this.#names[this.#first];
    const name = this.#bytes.subarray(at, at + length);
    return addressText(decodeAddress(name));
  }

  /** Adds what waits here to `others`, which has room for it. */
  copyTo(others: DatagramRuns): void {
    for (let run = this.#first; run < this.#end; run++) {
      const nameLength = this.#nameLengths[run];
      const to = nameLength === 0
        ? null
        : new DatagramPeer(this.#words, this.#names[run] >> 2, nameLength);
      const length = this.#lengths[run];
      for (let index = 0; index < this.#counts[run]; index++) {
        const start = this.#starts[run] + index * length;
        others.push(this.#bytes.subarray(start, start + length), to);
      }
    }
  }

  /** Whether a datagram belongs to the last run. */
  #continues(length: number, to: DatagramPeer | null): boolean {
    const run = this.#end - 1;
    if (!this.merges || run < this.#first) return false;
    const count = this.#counts[run];
    return length === this.#lengths[run] && length > 0 &&
      length <= SEGMENT_BYTES_MAX && count < RUN_MAX &&
      (count + 1) * length <= RUN_BYTES_MAX && this.#goesTo(run, to);
  }

  #goesTo(run: number, to: DatagramPeer | null): boolean {
    const length = to === null ? 0 : to.length;
    if (length !== this.#nameLengths[run]) return false;
    if (to === null) return true;
    const { words, start } = to;
    const at = this.#names[run] >> 2;
    const count = (length + 3) >> 2;
    for (let index = 0; index < count; index++) {
      if (this.#words[at + index] !== words[start + index]) return false;
    }
    return true;
  }

  /** Begins a run. Returns where its data go, -1 if there is no room. */
  #begin(length: number, to: DatagramPeer | null): number {
    const run = this.#end;
    const name = aligned(this.used);
    const nameLength = to === null ? 0 : to.length;
    const segments = name + aligned(nameLength);
    const start = segments + (this.merges ? SEGMENTS_SPACE : 0);
    if (run === this.#runsMax || start + length > this.size) return -1;
    if (to !== null) this.#copyName(name, to);
    this.#names[run] = name;
    this.#nameLengths[run] = nameLength;
    this.#starts[run] = start;
    this.#lengths[run] = length;
    this.#counts[run] = 0;
    this.#end++;
    return start;
  }

  #copyName(at: number, to: DatagramPeer): void {
    const { words, start } = to;
    const count = (to.length + 3) >> 2;
    for (let index = 0; index < count; index++) {
      this.#words[(at >> 2) + index] = words[start + index];
    }
  }

  /** Writes a run as the message that it is to the kernel. */
  #fill(run: number): void {
    const count = this.#counts[run];
    const start = this.#starts[run];
    const length = this.#lengths[run];
    const name = this.#names[run];
    const nameLength = this.#nameLengths[run];
    this.#vector.set(run, name, nameLength, start, count * length);
    if (count === 1) return;
    this.#vector.setSegments(run, start - SEGMENTS_SPACE, length);
  }
}

/** Memory that a datagram can take at the most. */
export function roomFor(length: number, to: DatagramPeer | null): number {
  const nameLength = to === null ? 0 : to.length;
  return 8 + aligned(nameLength) + SEGMENTS_SPACE + aligned(length);
}

/** Addresses are copied in words of 4 bytes; 8 suits every structure. */
function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}
