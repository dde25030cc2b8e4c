/** eventfd(2). */
import { EINVAL } from "../../ffi/errno_codes.ts";
import { EPOLLERR, EPOLLIN, EPOLLOUT } from "../../ffi/constants.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import { OpenFile } from "./open_file.ts";

/** Bytes of a counter. */
const SIZE = 8;
const LIMIT = 2n ** 64n - 1n;

/** A counter. */
export class EventFd extends OpenFile {
  #count: bigint;
  readonly #semaphore: boolean;

  constructor(count: number, semaphore: boolean, nonblocking: boolean) {
    super(nonblocking);
    this.#count = BigInt(count >>> 0);
    this.#semaphore = semaphore;
  }

  override poll(): number {
    let bits = 0;
    if (this.#count > 0n) bits |= EPOLLIN;
    if (this.#count < LIMIT - 1n) bits |= EPOLLOUT;
    if (this.#count === LIMIT) bits |= EPOLLERR;
    return bits;
  }

  override read(buffer: Bytes): number {
    if (buffer.length < SIZE) return -EINVAL;
    if (this.#count === 0n) return this.wouldBlock();
    const value = this.#semaphore ? 1n : this.#count;
    view(buffer).setBigUint64(0, value, true);
    this.#count -= value;
    this.wake(EPOLLOUT);
    return SIZE;
  }

  override write(bytes: Bytes): number {
    if (bytes.length < SIZE) return -EINVAL;
    const value = view(bytes).getBigUint64(0, true);
    if (value === LIMIT) return -EINVAL;
    // A write that reaches the limit wakes nobody.
    if (LIMIT - this.#count <= value) return this.wouldBlock();
    this.#count += value;
    this.wake(EPOLLIN);
    return SIZE;
  }
}

function view(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
