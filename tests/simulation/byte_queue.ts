/** Bytes in order, in the pieces in which they came. */
import type { Bytes } from "../../ffi/system_calls.ts";

/** A queue of bytes. */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Puts a copy at the end. */
  push(bytes: Bytes): void {
    if (bytes.length === 0) return;
    this.#pieces.push(new Uint8Array(bytes));
    this.#length += bytes.length;
  }

  /** Fills a buffer from the front; what is peeked at stays. */
  take(buffer: Bytes, peek = false): number {
    let count = 0;
    let index = 0;
    while (count < buffer.length && index < this.#pieces.length) {
      const piece = this.#pieces[index];
      const part = piece.subarray(0, buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      if (part.length < piece.length) {
        if (!peek) this.#pieces[index] = piece.subarray(part.length);
        break;
      }
      index++;
    }
    if (peek) return count;
    this.#pieces.splice(0, index);
    this.#length -= count;
    return count;
  }

  /** Moves up to `count` bytes from the front to the end of another queue. */
  moveTo(other: ByteQueue, count: number): number {
    const bytes = new Uint8Array(Math.max(0, Math.min(count, this.#length)));
    this.take(bytes);
    other.push(bytes);
    return bytes.length;
  }

  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}
