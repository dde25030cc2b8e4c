/**
 * The datagrams that wait for the next sendmmsg(2), within their limits.
 *
 * @module
 */

import type { EngineParts } from "../parts.ts";
import type { DatagramPeer } from "./datagram_peer.ts";
import { DatagramRuns, roomFor } from "./datagram_runs.ts";

/** Memory to begin with; it doubles up to the limit. */
const BYTES_MIN = 16 * 1024;

/** More than an address and its padding take. */
const SPLIT_BYTES = 160;

/** A bounded queue of datagrams. */
export class DatagramQueue {
  readonly #queueMax: number;
  readonly #bytesMax: number;
  readonly #bytesMin: number;
  #merges: boolean;
  #runs: DatagramRuns;

  /** `merges`: datagrams may go as segments of one message. */
  constructor(queueMax: number, bytesMax: number, merges: boolean) {
    this.#queueMax = queueMax;
    this.#bytesMax = bytesMax;
    this.#bytesMin = Math.min(BYTES_MIN, bytesMax);
    this.#merges = merges;
    this.#runs = new DatagramRuns(queueMax, this.#bytesMin, merges);
  }

  /** The datagrams that wait. */
  get length(): number {
    return this.#runs.length;
  }

  /**
   * Adds a copy of a datagram, or returns false if there is no room. One that
   * is larger than the limit has room when it is alone.
   */
  push(bytes: Uint8Array, to: DatagramPeer | null): boolean {
    const runs = this.#runs;
    if (runs.taken === this.#queueMax) return false;
    if (runs.push(bytes, to)) return true;
    const needed = runs.used + roomFor(bytes.length, to);
    if (needed > this.#bytesMax && runs.length > 0) return false;
    this.#use(Math.max(needed, Math.min(2 * runs.size, this.#bytesMax)));
    return this.#runs.push(bytes, to);
  }

  /**
   * Sends in one call, and drops what was sent. Returns a positive number, or
   * the negative errno if the first run can't be sent.
   */
  send(parts: EngineParts, fd: number): number {
    const runs = this.#runs;
    const sent = runs.send(parts, fd);
    if (runs.length > 0) return sent;
    // The memory was enlarged for one datagram, or its runs were split.
    const special = runs.size > this.#bytesMax + 8 ||
      runs.merges !== this.#merges;
    if (special) this.#use(this.#bytesMin);
    return sent;
  }

  /** Drops the first datagram, and those that go with it. */
  drop(): void {
    this.#runs.drop();
  }

  /**
   * Has what waits sent one by one; all that comes later too, if `always`.
   * False if the first datagram goes alone already.
   */
  split(always: boolean): boolean {
    if (this.#runs.firstCount === 1) return false;
    const merges = this.#merges && !always;
    this.#merges = false;
    this.#use(this.#runs.used + SPLIT_BYTES * this.#runs.length);
    this.#merges = merges;
    return true;
  }

  /** Where the first datagram goes, as text; undefined for the socket's peer. */
  get firstAddress(): string | undefined {
    return this.#runs.firstAddress;
  }

  /** Goes on in other memory. */
  #use(bytes: number): void {
    const runs = new DatagramRuns(this.#queueMax, bytes, this.#merges);
    this.#runs.copyTo(runs);
    this.#runs = runs;
  }
}
