/**
 * Operations on files: what each was asked for, its one callback, and what the
 * kernel has of them: a context of Linux AIO, a request for each slot, and the
 * plain call for what is declined.
 *
 * @module
 */

import {
  AioRequests,
  AioResults,
  type Bytes,
  ECANCELED,
  EINPROGRESS,
  EINTR,
  ENOSYS,
  IOCB_CMD_FSYNC,
  IOCB_CMD_PREAD,
  IOCB_CMD_PWRITE,
  type SystemCalls,
} from "../ffi/mod.ts";
import type { FileIo } from "./file_io.ts";

/**
 * Called once with how an operation ended: the count of bytes, 0 for a sync, or
 * the negative errno. A read at the end of the file gives a short count, past it
 * 0. `cookie` is what the operation was started with.
 */
export type FileDone<Cookie> = (result: number, cookie: Cookie) => void;

/** The slot of an operation that the kernel does not have. */
const NO_SLOT = -1;

/** An operation under way, returned by the verbs of {@linkcode FileIo}. */
export class FileOperation {
  /** @internal What errors of the callback are reported to come from. */
  readonly source: object;
  /** @internal */ readonly opcode: number;
  /** @internal */ readonly fd: number;
  /** @internal Kept, for the kernel's sake, until the operation is done. */
  buffer: Bytes | null;
  /** @internal */ readonly offset: number;
  /** @internal Where it is in the kernel, if it is. */
  slot: number = NO_SLOT;
  readonly #owner: FileIo;
  readonly #done: FileDone<unknown>;
  readonly #cookie: unknown;
  #result = 0;

  /** @internal */
  constructor(
    owner: FileIo,
    opcode: number,
    fd: number,
    buffer: Bytes | null,
    offset: number,
    done: FileDone<unknown>,
    cookie: unknown,
  ) {
    this.source = owner;
    this.#owner = owner;
    this.opcode = opcode;
    this.fd = fd;
    this.buffer = buffer;
    this.offset = offset;
    this.#done = done;
    this.#cookie = cookie;
  }

  /**
   * Cancels the operation, if that is possible. One that waits for its turn never
   * starts. What the kernel has of a file it finishes: io_cancel(2) cancels no
   * reads and writes of files (EINVAL, Linux 6.18). The callback is called in any
   * case, later: with -ECANCELED if this returns true.
   *
   * @returns Whether it is cancelled. False too for what has ended.
   */
  cancel(): boolean {
    return this.#owner.cancel(this);
  }

  /** @internal How it ended. The kernel has done with the memory. */
  settle(result: number): void {
    this.#result = result;
    this.buffer = null;
  }

  /** @internal Calls back. */
  run(): number {
    this.#done(this.#result, this.#cookie);
    return 1;
  }
}

/** Throws a RangeError for what is no integer from 0 to `max`. */
export function checkInteger(
  verb: string,
  what: string,
  value: number,
  max: number,
): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(
      `Cannot ${verb} a file: ${what} must be an integer from 0 to ${max}, and is ${value}`,
    );
  }
}

/** Throws a TypeError for what is no memory. */
export function checkBuffer(verb: string, buffer: Bytes): void {
  if (buffer instanceof Uint8Array) return;
  throw new TypeError(
    `Cannot ${verb} a file: the buffer must be a Uint8Array, and is ${buffer}`,
  );
}

/** Results taken by one io_getevents(2). */
const RESULTS_MAX = 64;
/** For an operation without memory. */
const NOTHING: Bytes = new Uint8Array(0);

/**
 * Those that the kernel may write to, whose memory must not be collected with an
 * engine that its user has forgotten.
 */
const open = new Set<FileContext>();

/** Takes operations, and tells what became of each. */
export class FileContext {
  /** Whether the kernel gave a context; else all are plain calls. */
  readonly asynchronous: boolean;
  readonly #calls: SystemCalls;
  readonly #depth: number;
  readonly #context: bigint;
  readonly #settle: (operation: FileOperation, result: number) => void;
  readonly #requests: AioRequests;
  readonly #results = new AioResults(RESULTS_MAX);
  /** What the kernel has, by slot, and how often each slot was given away. */
  readonly #slots: (FileOperation | null)[];
  readonly #generations: Int32Array;
  readonly #free: number[];

  constructor(
    calls: SystemCalls,
    depth: number,
    eventfd: number,
    settle: (operation: FileOperation, result: number) => void,
  ) {
    const context = new BigUint64Array(1);
    this.asynchronous = calls.io_setup(depth, context) >= 0;
    this.#calls = calls;
    this.#depth = depth;
    this.#context = context[0];
    this.#settle = settle;
    this.#requests = new AioRequests(depth, eventfd);
    this.#slots = new Array(depth).fill(null);
    this.#generations = new Int32Array(depth);
    this.#free = Array.from({ length: depth }, (_, slot) => depth - 1 - slot);
    if (this.asynchronous) open.add(this);
  }

  /** Operations that have a slot. */
  get inFlight(): number {
    return this.#depth - this.#free.length;
  }

  /** Whether there is a slot. */
  get hasRoom(): boolean {
    return this.#free.length > 0;
  }

  /** Gives an operation a slot, to be submitted with others. False: there is none. */
  add(operation: FileOperation): boolean {
    const slot = this.#free.pop();
    if (slot === undefined) return false;
    const { opcode, fd, buffer, offset } = operation;
    const generation = (this.#generations[slot] + 1) | 0;
    this.#generations[slot] = generation;
    this.#slots[slot] = operation;
    operation.slot = slot;
    this.#requests.push(slot, generation, opcode, fd, buffer, offset);
    return true;
  }

  /**
   * Submits what was added. The kernel refuses one at a time, with a reason of
   * that one: too many requests (EAGAIN), no such request for that file (EINVAL),
   * no file (EBADF). The plain call's answer is the result then.
   */
  submit(): void {
    const requests = this.#requests;
    while (requests.length > 0) {
      const taken = this.asynchronous
        ? this.#calls.io_submit(this.#context, requests.list, requests.length)
        : -ENOSYS;
      if (taken <= 0) this.#callPlainly(requests.first);
      requests.shift(Math.max(taken, 1));
    }
  }

  /** Takes the results that are there. */
  reap(): void {
    while (this.#take(0, 0) === RESULTS_MAX);
  }

  /** Asks the kernel to cancel an operation. Whether it does. */
  cancel(operation: FileOperation): boolean {
    if (operation.slot === NO_SLOT) return false;
    const result = this.#calls.io_cancel(
      this.#context,
      this.#requests.address(operation.slot),
      new AioResults(1).words,
    );
    return result === 0 || result === -EINPROGRESS;
  }

  /**
   * Waits for what the kernel has, and takes the results, which io_destroy(2)
   * would wait for too, but throw away.
   */
  close(): void {
    if (!this.asynchronous) return;
    while (this.inFlight > 0) {
      const count = this.#take(Math.min(this.inFlight, RESULTS_MAX), -1);
      if (count < 0 && count !== -EINTR) break;
    }
    this.#calls.io_destroy(this.#context);
    open.delete(this);
    for (const operation of this.#slots) {
      if (operation !== null) this.#end(operation, -ECANCELED);
    }
  }

  #take(eventsMin: number, timeoutMs: number): number {
    const results = this.#results;
    const count = this.#calls.io_getevents(
      this.#context,
      eventsMin,
      RESULTS_MAX,
      results.words,
      timeoutMs,
    );
    for (let index = 0; index < count; index++) {
      const slot = results.slot(index);
      const operation = this.#slots[slot];
      if (operation === undefined || operation === null) continue;
      if (this.#generations[slot] !== results.generation(index)) continue;
      this.#end(operation, results.result(index));
    }
    return count;
  }

  #callPlainly(slot: number): void {
    const operation = this.#slots[slot];
    if (operation === null) return;
    this.#end(operation, callPlainly(this.#calls, operation));
  }

  #end(operation: FileOperation, result: number): void {
    this.#slots[operation.slot] = null;
    this.#free.push(operation.slot);
    operation.slot = NO_SLOT;
    this.#settle(operation, result);
  }
}

/** Makes an operation at once, as the kernel does not make it meanwhile. */
function callPlainly(calls: SystemCalls, operation: FileOperation): number {
  const { opcode, fd, buffer, offset } = operation;
  switch (opcode) {
    case IOCB_CMD_PREAD:
      return calls.pread(fd, buffer ?? NOTHING, offset);
    case IOCB_CMD_PWRITE:
      return calls.pwrite(fd, buffer ?? NOTHING, offset);
    case IOCB_CMD_FSYNC:
      return calls.fsync(fd);
    default:
      return calls.fdatasync(fd);
  }
}
