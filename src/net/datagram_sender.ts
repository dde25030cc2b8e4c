/**
 * The sending side of a datagram socket: queued until the turn has read, then
 * sent together; each failure concerns one datagram.
 *
 * @module
 */

import { EAGAIN, EINTR, EIO, IPPROTO_UDP, UDP_SEGMENT } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { queueWrite } from "../interest.ts";
import type { EngineParts } from "../parts.ts";
import { INACTIVE } from "../states.ts";
import { Timer } from "../timers.ts";
import type { DatagramLimits } from "./datagram_open.ts";
import type { DatagramReports } from "./datagram_reports.ts";
import { DatagramRuns, roomFor } from "./datagram_runs.ts";
import type { DatagramPeer } from "./datagram_socket.ts";

/** The pauses between attempts where the kernel does not tell of room. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 64;

/** How a socket sends. */
export interface SenderKind {
  readonly connected: boolean;
  readonly isUnix: boolean;
}

/** Sends for one datagram socket. */
export class DatagramSender {
  readonly #event: FdEvent;
  readonly #limits: DatagramLimits;
  readonly #reports: DatagramReports;
  /** An error may be that of a datagram sent before. */
  readonly #tellsLater: boolean;
  readonly #isUnix: boolean;
  #queue: DatagramQueue | null = null;
  /** The kernel took no more, and the queue waits for it. */
  #waiting = false;
  #retry: Timer | null = null;
  #retryMs = RETRY_MIN_MS;
  /** The error that the first datagram met, and is tried again after. */
  #suspected = 0;

  constructor(
    event: FdEvent,
    limits: DatagramLimits,
    reports: DatagramReports,
    { connected, isUnix }: SenderKind,
  ) {
    this.#event = event;
    this.#limits = limits;
    this.#reports = reports;
    this.#isUnix = isUnix;
    this.#tellsLater = connected && !isUnix;
  }

  /** The datagrams that wait. */
  get length(): number {
    return this.#queue === null ? 0 : this.#queue.length;
  }

  /** Queues a copy. False if there is no room, nor will be before the kernel takes more. */
  send(bytes: Uint8Array, to: DatagramPeer | null): boolean {
    const queue = this.#queue ??= this.#newQueue();
    if (!queue.push(bytes, to)) {
      if (this.#waiting) return false;
      this.flush();
      if (!queue.push(bytes, to)) return false;
    }
    if (!this.#waiting) queueWrite(this.#event);
    return true;
  }

  /** Sends what is queued, until the kernel takes no more. */
  flush(): void {
    const queue = this.#queue;
    if (queue === null) return;
    const { parts, fd } = this.#event;
    while (queue.length > 0) {
      const sent = queue.send(parts, fd);
      if (sent > 0) {
        this.#sent();
      } else if (sent === -EAGAIN) {
        return this.#wait(queue);
      } else if (sent !== -EINTR) {
        this.#failed(queue, -sent);
      }
    }
    this.#endWait();
  }

  /** Waits for room once more, after ERR or HUP ended that. */
  rearm(): void {
    if (this.#waiting && this.#retry === null) this.#event.enableWrite();
  }

  close(): void {
    this.#retry?.cancel();
    this.#queue = null;
  }

  #sent(): void {
    this.#retryMs = RETRY_MIN_MS;
    if (this.#suspected === 0) return;
    // It was an earlier one's, as this one went.
    this.#reports.failed("sendmmsg", this.#suspected, this.#event.fd);
    this.#suspected = 0;
  }

  /** Linux 4.18 knows segments; before, a run would go as one datagram. */
  #newQueue(): DatagramQueue {
    const { queueMax, bufferMax, segments } = this.#limits;
    const { parts, fd } = this.#event;
    const value = new Uint8Array(4);
    const merges = segments && !this.#isUnix &&
      parts.calls.getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, value) >= 0;
    return new DatagramQueue(queueMax, bufferMax, merges);
  }

  /**
   * The first datagram was refused: it is dropped. On a connected socket the
   * kernel may have told of an earlier one, so that it is tried once more. One
   * that goes with others is tried alone: not all networks take segments (EIO:
   * where the kernel can't leave checksums to the device, as with IPsec).
   */
  #failed(queue: DatagramQueue, errno: number): void {
    const { fd } = this.#event;
    const suspected = this.#suspected;
    if (this.#tellsLater && suspected === 0) {
      this.#suspected = errno;
      return;
    }
    this.#suspected = 0;
    if (suspected !== 0 && suspected !== errno) {
      this.#reports.failed("sendmmsg", suspected, fd);
    }
    if (queue.split(errno === EIO)) return;
    this.#reports.failed("sendmmsg", errno, fd, queue.firstAddress);
    queue.drop();
  }

  /**
   * Waits for room. Of the unix receivers' queues the kernel tells that of the
   * socket's peer alone: to any other address it is tried again later.
   */
  #wait(queue: DatagramQueue): void {
    this.#waiting = true;
    if (this.#isUnix && queue.firstAddress !== undefined) {
      this.#quiet();
      return this.#retryLater();
    }
    this.#event.writeReady = false;
    this.#event.enableWrite();
  }

  #endWait(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#retry?.cancel();
    this.#retry = null;
    this.#quiet();
  }

  /** The kernel need not tell of room. */
  #quiet(): void {
    if (this.#event.writeBits !== INACTIVE) this.#event.disableWrite();
  }

  #retryLater(): void {
    this.#retry?.cancel();
    const again = () => {
      this.#retry = null;
      queueWrite(this.#event);
    };
    const { parts } = this.#event;
    this.#retry = new Timer(parts, this.#retryMs, again, false, 0);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }
}

/** Memory to begin with; it doubles up to the limit. */
const BYTES_MIN = 16 * 1024;

/** More than an address and its padding take. */
const SPLIT_BYTES = 160;

/** A bounded queue of datagrams. */
class DatagramQueue {
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
