/**
 * What waits to be sent, in order: copies of bytes, put together in blocks, so
 * that many small writes cost no more memory and no more calls than a large one;
 * and pieces that the kernel moves by itself. Before that, sending from the user's
 * own memory, while the kernel takes it.
 *
 * @module
 */

import {
  type Bytes,
  EAGAIN,
  EINTR,
  MSG_NOSIGNAL,
  type SystemCalls,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";

/** The size of a block; a larger write has a block of its own. */
const BLOCK_BYTES = 16 * 1024;

/** Blocks that a thread keeps for use again: 1 MiB. */
const SPARE_BLOCKS_MAX = 64;

/** Something that waits to be sent. */
export interface Piece {
  /** What follows it in its queue, which is the queue's to say. */
  next: Piece | null;
  /** The system call that sends it, and what that is about, for errors. */
  readonly syscall: string;
  readonly address?: string;
  /** Whether all of it has been sent. */
  readonly sent: boolean;
  /** Whether it holds copies of the user's bytes, which `bufferMax` limits. */
  readonly copied: boolean;
  /** Whether it is the user's own, who is told by `drain`. */
  readonly owned: boolean;
  /** One call that sends `bytesMax` at the most: the count or the negative errno. */
  send(calls: SystemCalls, fd: number, bytesMax: number): number;
  /** Lets go of what it holds: it is sent, or never will be. */
  close(): void;
}

/** Copies of bytes. */
class Block implements Piece {
  next: Piece | null = null;
  readonly syscall = "send";
  readonly copied = true;
  readonly owned = true;
  readonly #bytes: Uint8Array;
  #start = 0;
  #end = 0;
  /** What was sent last, from the start: messages are often of one length. */
  #view: Uint8Array;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = this.#bytes;
  }

  get sent(): boolean {
    return this.#start === this.#end;
  }

  /** Takes what there is room for of the bytes from `from` to `to`; returns the count. */
  add(bytes: Bytes, from: number, to: number): number {
    const count = Math.min(this.#bytes.length - this.#end, to - from);
    const whole = count === bytes.length;
    this.#bytes.set(
      whole ? bytes : bytes.subarray(from, from + count),
      this.#end,
    );
    this.#end += count;
    return count;
  }

  send(calls: SystemCalls, fd: number, bytesMax: number): number {
    const end = Math.min(this.#end, this.#start + bytesMax);
    if (this.#start === 0 && end !== this.#view.length) {
      this.#view = this.#bytes.subarray(0, end);
    }
    const bytes = this.#start === 0
      ? this.#view
      : this.#bytes.subarray(this.#start, end);
    const count = calls.send(fd, bytes, MSG_NOSIGNAL);
    if (count > 0) this.#start += count;
    return count;
  }

  close(): void {
    if (this.#bytes.length !== BLOCK_BYTES) return;
    if (spare.length === SPARE_BLOCKS_MAX) return;
    this.#start = 0;
    this.#end = 0;
    spare.push(this);
  }
}

const spare: Block[] = [];

function blockFor(length: number): Block {
  if (length > BLOCK_BYTES) return new Block(length);
  return spare.pop() ?? new Block(BLOCK_BYTES);
}

/** A queue of pieces, linked: an array would be allocated anew once it was empty. */
export class SendQueue {
  #first: Piece | null = null;
  #last: Piece | null = null;
  /** The last piece, if it is a block that may have room. */
  #open: Block | null = null;

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#first === null;
  }

  /** The piece whose turn it is; null if nothing waits. */
  get first(): Piece | null {
    return this.#first;
  }

  /** Adds a copy of `count` bytes from `offset` on. */
  addBytes(bytes: Bytes, offset: number, count: number): void {
    const end = offset + count;
    const from = offset + (this.#open?.add(bytes, offset, end) ?? 0);
    if (from === end) return;
    const block = blockFor(end - from);
    block.add(bytes, from, end);
    this.add(block);
    this.#open = block;
  }

  /** Adds a piece. */
  add(piece: Piece): void {
    if (this.#last === null) this.#first = piece;
    else this.#last.next = piece;
    this.#last = piece;
    this.#open = null;
  }

  /** Takes the first piece out. */
  shift(): void {
    const piece = this.#first;
    if (piece === null) return;
    this.#first = piece.next;
    if (piece.next === null) this.#last = null;
    piece.next = null;
    if (piece === this.#open) this.#open = null;
    piece.close();
  }

  /** Drops all pieces. */
  clear(): void {
    while (!this.empty) this.shift();
  }
}

/** Bytes sent in one go before other descriptors have their turn. */
const DIRECT_MAX_BYTES = 8 * 1024 * 1024;

/** Chunks that one writev(2) takes: IOV_MAX. */
const CHUNKS_MAX = 1024;

/**
 * Sends until all is sent or it would block: the kernel reports room again only
 * to those who have met EAGAIN. Stops early where it would go on for long, with
 * `writeReady` still set. `count` is what a first send(2) of all of it has
 * returned, which is mostly all there is to do. Returns the bytes sent, or the
 * negative errno.
 */
export function sendOn(event: FdEvent, bytes: Bytes, count: number): number {
  const { calls } = event.parts;
  let sent = 0;
  for (;;) {
    if (count >= 0) {
      sent += count;
      if (sent === bytes.length || sent >= DIRECT_MAX_BYTES) return sent;
    } else if (count === -EAGAIN) {
      event.writeReady = false;
      return sent;
    } else if (count !== -EINTR) {
      return count;
    }
    const rest = sent === 0 ? bytes : bytes.subarray(sent);
    count = calls.send(event.fd, rest, MSG_NOSIGNAL);
  }
}

/**
 * Sends chunks with one writev(2) for up to 1024 of them, and the rest of one
 * that was cut as `sendOn` does. Returns the bytes sent, or the negative errno.
 */
export function sendChunks(event: FdEvent, chunks: readonly Bytes[]): number {
  const { calls } = event.parts;
  let sent = 0;
  let next = 0;
  while (next < chunks.length && sent < DIRECT_MAX_BYTES) {
    const batch = chunks.length - next > CHUNKS_MAX || next > 0
      ? chunks.slice(next, next + CHUNKS_MAX)
      : chunks;
    const count = calls.writev(event.fd, batch, batch.length);
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
    const part = chunks[next].subarray(left);
    const rest = sendOn(event, part, calls.send(event.fd, part, MSG_NOSIGNAL));
    if (rest < 0) return rest;
    sent += rest;
    if (left + rest < chunks[next].length) return sent;
    next++;
  }
  return sent;
}
