/**
 * Bytes that the kernel has not taken yet: copies, put together in blocks, so
 * that many small writes cost no more memory and no more calls than a large one.
 *
 * @module
 */

import type { Bytes } from "../../ffi/mod.ts";

/** The size of a block; a larger write has a block of its own. */
const BLOCK_BYTES = 16 * 1024;

/** A block and what of it is filled and not sent. */
interface Block {
  readonly bytes: Bytes;
  start: number;
  end: number;
}

/** A queue of bytes. */
export class SendBuffer {
  readonly #blocks: Block[] = [];

  /** Adds a copy of `count` bytes from `offset` on. */
  push(bytes: Bytes, offset: number, count: number): void {
    const last = this.#blocks.at(-1);
    let taken = 0;
    if (last !== undefined) {
      taken = Math.min(last.bytes.length - last.end, count);
      last.bytes.set(bytes.subarray(offset, offset + taken), last.end);
      last.end += taken;
    }
    if (taken === count) return;
    const left = count - taken;
    const block = new Uint8Array(Math.max(left, BLOCK_BYTES));
    block.set(bytes.subarray(offset + taken, offset + count));
    this.#blocks.push({ bytes: block, start: 0, end: left });
  }

  /** The bytes of the first block; there must be one. */
  first(): Bytes {
    const { bytes, start, end } = this.#blocks[0];
    return bytes.subarray(start, end);
  }

  /** Drops the first `count` bytes, at most those of the first block. */
  drop(count: number): void {
    const first = this.#blocks[0];
    first.start += count;
    if (first.start === first.end) this.#blocks.shift();
  }
}
