/**
 * Linux AIO: its calls and their memory, which are requests, results and aligned
 * buffers; and the plain calls on files at an offset.
 *
 * @module
 */

import { int32, requireRoom, transferSize, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { architecture, io_event, iocb } from "./layout.ts";
import { aio, fileOffsets } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { setTimespec } from "./time.ts";
import { addressOf } from "./transfers.ts";

/** The numbers of the calls, which the C library has no functions for. */
const SYS = architecture === "x86_64"
  ? {
    io_setup: 206,
    io_destroy: 207,
    io_getevents: 208,
    io_submit: 209,
    io_cancel: 210,
  }
  : { io_setup: 0, io_destroy: 1, io_submit: 2, io_cancel: 3, io_getevents: 4 };

/** io_submit(2): pread(2). */
export const IOCB_CMD_PREAD = 0;
/** io_submit(2): pwrite(2). */
export const IOCB_CMD_PWRITE = 1;
/** io_submit(2): fsync(2). Linux 4.18. */
export const IOCB_CMD_FSYNC = 2;
/** io_submit(2): fdatasync(2). Linux 4.18. */
export const IOCB_CMD_FDSYNC = 3;
/** io_submit(2): add 1 to an eventfd once the request is done. */
export const IOCB_FLAG_RESFD = 1;

/**
 * io_setup(2): makes a context for `requestsMax` requests at a time and stores
 * it in `context[0]`, which must be 0 before. Returns 0, or the negative errno:
 * EAGAIN beyond /proc/sys/fs/aio-max-nr, ENOSYS or EPERM where it is not offered.
 */
export function io_setup(
  requestsMax: number,
  context: BigUint64Array<ArrayBufferLike>,
): number {
  requireRoom(context, 8, "a context");
  const result = aio.c.io_setup(SYS.io_setup, uint32(requestsMax), context);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * io_destroy(2). Returns once no request of the context is under way, and so
 * nothing is written to memory any more; results not taken are lost. Returns 0,
 * or the negative errno.
 */
export function io_destroy(context: bigint): number {
  const result = aio.c.io_destroy(SYS.io_destroy, context);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * io_submit(2) of the first `count` of `requests`, addresses of `struct iocb`.
 * Those, and the memory they name, must stay where they are until they are done.
 * Returns how many were taken, or the negative errno of the first.
 */
export function io_submit(
  context: bigint,
  requests: BigUint64Array<ArrayBufferLike>,
  count: number,
): number {
  requireRoom(requests, uint32(count) * 8, "the requests");
  const taken = aio.c.io_submit(SYS.io_submit, context, count, requests);
  return taken < 0 ? -(errnoView ?? errnoCopy())[0] : taken;
}

const timeout = new Int32Array(4);

/**
 * io_getevents(2): waits for `eventsMin` results and takes up to `eventsMax` into
 * `events`, an array of `struct io_event`. `timeoutMs` is -1 for ever. Returns
 * how many, or the negative errno.
 */
export function io_getevents(
  context: bigint,
  eventsMin: number,
  eventsMax: number,
  events: Int32Array<ArrayBufferLike>,
  timeoutMs: number,
): number {
  requireRoom(events, uint32(eventsMax) * io_event.size, "the events");
  if (timeoutMs >= 0) setTimespec(timeout, 0, timeoutMs);
  const count = aio.c.io_getevents(
    SYS.io_getevents,
    context,
    uint32(eventsMin),
    eventsMax,
    events,
    timeoutMs < 0 ? null : timeout,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/**
 * io_cancel(2) of a request, by the address of its `struct iocb`. The result
 * still comes by io_getevents. Returns 0 or -EINPROGRESS where the request is
 * being cancelled, else the negative errno: EINVAL for reads and writes of
 * files, which can't be.
 */
export function io_cancel(
  context: bigint,
  request: bigint,
  event: Int32Array<ArrayBufferLike>,
): number {
  requireRoom(event, io_event.size, "struct io_event");
  const result = aio.c.io_cancel(SYS.io_cancel, context, request, event);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * pread(2): reads at an offset. Returns the count of bytes, 0 at end of file, or
 * the negative errno.
 */
export function pread(fd: number, buffer: Bytes, offset: number): number {
  const count = fileOffsets.c.pread(
    int32(fd),
    buffer,
    transferSize(buffer),
    BigInt(offset),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** pwrite(2): writes at an offset. Returns the count of bytes, or the negative errno. */
export function pwrite(fd: number, buffer: Bytes, offset: number): number {
  const count = fileOffsets.c.pwrite(
    int32(fd),
    buffer,
    transferSize(buffer),
    BigInt(offset),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** fsync(2): returns once the file is on the disk: 0, or the negative errno. */
export function fsync(fd: number): number {
  const result = fileOffsets.c.fsync(int32(fd));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** fdatasync(2): fsync of what is needed to read the data again. */
export function fdatasync(fd: number): number {
  const result = fileOffsets.c.fdatasync(int32(fd));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** Words of one `struct iocb`, and of one `struct io_event`. */
const REQUEST_WORDS = iocb.size / 4;
const RESULT_WORDS = io_event.size / 4;

/**
 * An array of `struct iocb`, one for each slot, and the list of those that are
 * to be submitted next. The kernel knows a request by the address of its slot
 * until it is done.
 */
export class AioRequests {
  /** The addresses of what is to be submitted, for io_submit(2). */
  readonly list: BigUint64Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array;
  /** The same, in pairs of words: `aio_buf` and the like. */
  readonly #pairs: BigUint64Array;
  readonly #slots: Int32Array;
  readonly #addresses: BigUint64Array;
  // By the word, so that listing a request makes no bigint.
  readonly #addressWords: Int32Array;
  readonly #listWords: Int32Array;
  #length = 0;

  /** Room for `depth` requests, whose results are counted by `eventfd`. */
  constructor(depth: number, eventfd: number) {
    this.#bytes = new Uint8Array(depth * iocb.size);
    this.#words = new Int32Array(this.#bytes.buffer);
    this.#pairs = new BigUint64Array(this.#bytes.buffer);
    this.list = new BigUint64Array(depth);
    this.#slots = new Int32Array(depth);
    this.#listWords = new Int32Array(this.list.buffer);
    this.#addresses = new BigUint64Array(depth);
    this.#addressWords = new Int32Array(this.#addresses.buffer);
    const address = addressOf(this.#bytes);
    for (let slot = 0; slot < depth; slot++) {
      const word = slot * REQUEST_WORDS;
      this.#words[word + iocb.aio_flags / 4] = IOCB_FLAG_RESFD;
      this.#words[word + iocb.aio_resfd / 4] = eventfd;
      this.#addresses[slot] = address + BigInt(slot * iocb.size);
    }
  }

  /** How many are to be submitted. */
  get length(): number {
    return this.#length;
  }

  /** The slot of the first that is to be submitted. */
  get first(): number {
    return this.#slots[0];
  }

  /** The address of a slot's request. */
  address(slot: number): bigint {
    return this.#addresses[slot];
  }

  /**
   * Fills a slot and lists it. Its result will carry the slot and the generation.
   * The caller keeps the buffer alive.
   */
  push(
    slot: number,
    generation: number,
    opcode: number,
    fd: number,
    buffer: Bytes | null,
    offset: number,
  ): void {
    const word = slot * REQUEST_WORDS;
    const words = this.#words;
    words[word] = slot;
    words[word + 1] = generation;
    // The upper half is the priority, which is not in use.
    words[word + iocb.aio_lio_opcode / 4] = opcode;
    words[word + iocb.aio_fildes / 4] = int32(fd);
    this.#pairs[(word + iocb.aio_buf / 4) / 2] = buffer
      ? addressOf(buffer)
      : 0n;
    words[word + iocb.aio_nbytes / 4] = buffer ? transferSize(buffer) : 0;
    words[word + iocb.aio_offset / 4] = offset % 2 ** 32;
    words[word + iocb.aio_offset / 4 + 1] = Math.floor(offset / 2 ** 32);
    this.#slots[this.#length] = slot;
    this.#listWords[2 * this.#length] = this.#addressWords[2 * slot];
    this.#listWords[2 * this.#length + 1] = this.#addressWords[2 * slot + 1];
    this.#length++;
  }

  /** Takes the first `count` off the list. */
  shift(count: number): void {
    this.list.copyWithin(0, count, this.#length);
    this.#slots.copyWithin(0, count, this.#length);
    this.#length -= count;
  }
}

/** An array of `struct io_event`, which io_getevents(2) fills. */
export class AioResults {
  /** The memory, for io_getevents(2). */
  readonly words: Int32Array<ArrayBuffer>;

  /** Room for `max` results. */
  constructor(max: number) {
    this.words = new Int32Array(max * RESULT_WORDS);
  }

  /** The slot that a result is for. */
  slot(index: number): number {
    return this.words[index * RESULT_WORDS];
  }

  /** The generation of the slot that it is for. */
  generation(index: number): number {
    return this.words[index * RESULT_WORDS + 1];
  }

  /** The count of bytes, or the negative errno. Linux moves less than 2 GiB at a time. */
  result(index: number): number {
    return this.words[index * RESULT_WORDS + io_event.res / 4];
  }
}

/**
 * Memory for files opened with O_DIRECT, whose address, as the offset and the
 * length, must be a multiple of the disk's block: 512 bytes, or 4096.
 *
 * ```ts
 * import { alignedBuffer } from "@edgewise/epoll";
 *
 * console.log(alignedBuffer(8192).byteLength); // 8192
 * ```
 *
 * @param bytes The length.
 * @param alignment A power of two, up to 2^20.
 * @throws {RangeError} If a number is out of its range.
 */
export function alignedBuffer(
  bytes: number,
  alignment = 4096,
): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(
      `Cannot allocate a buffer: its length must be an integer of at least 0, and is ${bytes}`,
    );
  }
  if (!ALIGNMENTS.has(alignment)) {
    throw new RangeError(
      `Cannot align a buffer: the alignment must be a power of two up to 1048576, and is ${alignment}`,
    );
  }
  const memory = new Uint8Array(bytes + alignment);
  const past = Number(addressOf(memory) % BigInt(alignment));
  const start = past === 0 ? 0 : alignment - past;
  return memory.subarray(start, start + bytes);
}

const ALIGNMENTS = new Set(Array.from({ length: 21 }, (_, bit) => 2 ** bit));
