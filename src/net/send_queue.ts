/**
 * What waits to be sent, in order: copies of bytes, put together in blocks, so
 * that many small writes cost no more memory and no more calls than a large one;
 * and pieces that the kernel moves by itself.
 *
 * @module
 */

import { type Bytes, MSG_NOSIGNAL } from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";

/** The size of a block; a larger write has a block of its own. */
const BLOCK_BYTES = 16 * 1024;

/** Something that waits to be sent. */
export interface Piece {
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
  readonly syscall = "send";
  readonly copied = true;
  readonly owned = true;
  readonly #bytes: Uint8Array;
  #start = 0;
  #end = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
  }

  get sent(): boolean {
    return this.#start === this.#end;
  }

  /** Takes what there is room for of the bytes from `from` to `to`; returns the count. */
  add(bytes: Bytes, from: number, to: number): number {
    const count = Math.min(this.#bytes.length - this.#end, to - from);
    this.#bytes.set(bytes.subarray(from, from + count), this.#end);
    this.#end += count;
    return count;
  }

  send(calls: SystemCalls, fd: number, bytesMax: number): number {
    const end = Math.min(this.#end, this.#start + bytesMax);
    const bytes = this.#bytes.subarray(this.#start, end);
    const count = calls.send(fd, bytes, MSG_NOSIGNAL);
    if (count > 0) this.#start += count;
    return count;
  }

  close(): void {}
}

/** A queue of pieces. */
export class SendQueue {
  readonly #pieces: Piece[] = [];
  /** The last piece, if it is a block that may have room. */
  #open: Block | null = null;

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  /** The piece whose turn it is; there must be one. */
  get first(): Piece {
    return this.#pieces[0];
  }

  /** Adds a copy of `count` bytes from `offset` on. */
  addBytes(bytes: Bytes, offset: number, count: number): void {
    const end = offset + count;
    const from = offset + (this.#open?.add(bytes, offset, end) ?? 0);
    if (from === end) return;
    const block = new Block(Math.max(end - from, BLOCK_BYTES));
    block.add(bytes, from, end);
    this.#pieces.push(block);
    this.#open = block;
  }

  /** Adds a piece. */
  add(piece: Piece): void {
    this.#pieces.push(piece);
    this.#open = null;
  }

  /** Takes the first piece out. */
  shift(): void {
    const piece = this.#pieces.shift();
    if (piece === this.#open) this.#open = null;
    piece?.close();
  }

  /** Drops all pieces. */
  clear(): void {
    while (!this.empty) this.shift();
  }
}
