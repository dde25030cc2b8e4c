/**
 * Operations on files that the kernel makes meanwhile: Linux AIO, whose results
 * are counted by an eventfd in the engine's epoll, as in nginx.
 *
 * @module
 */

import {
  EAGAIN,
  EBADF,
  ECANCELED,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  IOCB_CMD_FDSYNC,
  IOCB_CMD_FSYNC,
  IOCB_CMD_PREAD,
  IOCB_CMD_PWRITE,
  SystemError,
} from "../ffi/mod.ts";
import type { Bytes } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import {
  checkBuffer,
  checkInteger,
  FileContext,
  type FileDone,
  FileOperation,
} from "./file_operations.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import { triggerRules } from "./trigger.ts";
import { CLOSE_QUEUE, FAST, type Task, TASK_WORK } from "./work_queue.ts";

/** The most that an option can be. */
const OPTION_MAX = 65536;

/** Options of {@linkcode Engine.fileIo}. */
export interface FileIoOptions {
  /** Operations that the kernel has at a time, 1 to 65536. @default {32} */
  depth?: number;
  /** Operations that wait for their turn, 1 to 65536. @default {16384} */
  queueMax?: number;
}

/**
 * Reads and writes files at offsets, made by {@linkcode Engine.fileIo}.
 *
 * What is started in one turn is submitted together at its end, with one
 * io_submit(2), `depth` operations at a time; the others wait for their turn.
 * Each callback is called exactly once, never inside a verb, in the order in
 * which operations end, which may be another than the one they were started in.
 * Leave a buffer alone until then.
 *
 * The kernel works meanwhile where the file is open with O_DIRECT, with offset,
 * length and buffer aligned (see {@linkcode alignedBuffer}; else the result is
 * -EINVAL). Of others it makes the operation within io_submit(2): at once from
 * the page cache, but waiting for the disk where that has not the data. What it
 * declines, the plain call does (pread(2) and the like) at the turn's end.
 *
 * @example
 * ```ts
 * import { Engine } from "@edgewise/epoll";
 * import { close, open, unlink } from "@edgewise/epoll/ffi";
 *
 * using engine = new Engine();
 * const io = engine.fileIo();
 * const path = `/tmp/edgewise-${Date.now()}`;
 * const fd = open(path, 0o102); // O_RDWR | O_CREAT
 *
 * io.write(fd, new TextEncoder().encode("hello"), 0, (count) => {
 *   console.log(count); // 5
 *   const buffer = new Uint8Array(16);
 *   io.read(fd, buffer, 1, (count) => {
 *     console.log(new TextDecoder().decode(buffer.subarray(0, count))); // ello
 *     engine.stop();
 *   });
 * });
 * engine.run();
 * close(fd);
 * unlink(path);
 * ```
 */
export class FileIo implements Disposable {
  /** Operations that wait for their turn at the most. */
  readonly queueMax: number;

  readonly #parts: EngineParts;
  readonly #event: FdEvent;
  readonly #context: FileContext;
  readonly #waiting = new Set<FileOperation>();
  readonly #submitting: Task;
  #submits = false;

  /** @internal */
  constructor(parts: EngineParts, options: FileIoOptions) {
    const { depth = 32, queueMax = 16384 } = options;
    checkOption("depth", depth);
    checkOption("queueMax", queueMax);
    const fd = parts.calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", fd);
    this.queueMax = queueMax;
    this.#parts = parts;
    this.#context = new FileContext(
      parts.calls,
      depth,
      fd,
      (operation, result) => this.#settle(operation, result),
    );
    this.#submitting = { source: this, run: () => this.#submit() };
    const handlers: OwnHandlers = {
      owner: "FileIo",
      read: () => this.#reap(),
      engineClosed: () => this.close(),
    };
    // Each result is a new edge, though the count is never read.
    this.#event = watchOwn(parts, fd, triggerRules("edge"), handlers, this);
    this.#event.readQueue = FAST;
  }

  /**
   * Whether the kernel makes operations meanwhile. False where it gives no
   * context: in some containers, and beyond /proc/sys/fs/aio-max-nr. Then all
   * are plain calls, `depth` of them in one go.
   */
  get asynchronous(): boolean {
    return this.#context.asynchronous;
  }

  /** Operations that the kernel has. */
  get inFlight(): number {
    return this.#context.inFlight;
  }

  /** Operations that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether no more can wait: a verb would throw now. */
  get full(): boolean {
    return this.#waiting.size >= this.queueMax;
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#event.closed;
  }

  /**
   * Reads from `offset` on into `buffer`; see pread(2).
   *
   * @param cookie What `done` is called with beside the result.
   * @throws {RangeError} If `fd` or `offset` is not an integer, or is negative.
   * @throws {TypeError} If `buffer` is not a Uint8Array, or `done` no function.
   * @throws {SystemError} `EAGAIN` if `queueMax` operations wait (see
   * {@linkcode FileIo.full}); `EBADF` if this is closed.
   */
  read<Cookie = undefined>(
    fd: number,
    buffer: Bytes,
    offset: number,
    done: FileDone<Cookie>,
    cookie?: Cookie,
  ): FileOperation {
    checkBuffer("read", buffer);
    return this.#start(
      "read",
      IOCB_CMD_PREAD,
      fd,
      buffer,
      offset,
      done,
      cookie,
    );
  }

  /** Writes `buffer` from `offset` on; see pwrite(2). Errors as for `read`. */
  write<Cookie = undefined>(
    fd: number,
    buffer: Bytes,
    offset: number,
    done: FileDone<Cookie>,
    cookie?: Cookie,
  ): FileOperation {
    checkBuffer("write", buffer);
    const opcode = IOCB_CMD_PWRITE;
    return this.#start("write", opcode, fd, buffer, offset, done, cookie);
  }

  /**
   * Brings to the disk what was written before; see fsync(2). Start it in the
   * callback of the last write: operations under way have no order. Errors as
   * for `read`.
   */
  fsync<Cookie = undefined>(
    fd: number,
    done: FileDone<Cookie>,
    cookie?: Cookie,
  ): FileOperation {
    return this.#start("fsync", IOCB_CMD_FSYNC, fd, null, 0, done, cookie);
  }

  /** The same for what it takes to read the data again; see fdatasync(2). */
  fdatasync<Cookie = undefined>(
    fd: number,
    done: FileDone<Cookie>,
    cookie?: Cookie,
  ): FileOperation {
    return this.#start("fdatasync", IOCB_CMD_FDSYNC, fd, null, 0, done, cookie);
  }

  /**
   * Cancels what waits, and blocks until the kernel has finished what it has, as
   * it would write to the buffers until then; io_destroy(2) itself takes some
   * 30 ms (Linux 6.18). The callbacks are called in the next turn, or by the
   * engine's own closing, which closes this too. Closing again does nothing.
   */
  close(): void {
    if (this.closed) return;
    this.#event.close();
    for (const operation of this.#waiting) this.#settle(operation, -ECANCELED);
    this.#waiting.clear();
    this.#context.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal See {@linkcode FileOperation.cancel}. */
  cancel(operation: FileOperation): boolean {
    if (this.#waiting.delete(operation)) {
      this.#settle(operation, -ECANCELED);
      return true;
    }
    return this.#context.cancel(operation);
  }

  #start<Cookie>(
    verb: string,
    opcode: number,
    fd: number,
    buffer: Bytes | null,
    offset: number,
    done: FileDone<Cookie>,
    cookie: Cookie | undefined,
  ): FileOperation {
    checkInteger(verb, "the descriptor", fd, 0x7fffffff);
    checkInteger(verb, "the offset", offset, Number.MAX_SAFE_INTEGER);
    if (typeof done !== "function") {
      throw new TypeError(`Cannot ${verb} a file: the callback is ${done}`);
    }
    if (this.closed) throw new SystemError(verb, EBADF, { fd });
    if (this.full) throw new SystemError(verb, EAGAIN, { fd });
    const operation = new FileOperation(
      this,
      opcode,
      fd,
      buffer,
      offset,
      // It is called with this very cookie.
      done as FileDone<unknown>,
      cookie,
    );
    this.#waiting.add(operation);
    this.#submitLater();
    return operation;
  }

  /** After the handlers of this turn, so that what they start goes together. */
  #submitLater(): void {
    if (this.#submits) return;
    this.#submits = true;
    this.#parts.queues.push(CLOSE_QUEUE, this.#submitting, TASK_WORK);
    this.#parts.touched();
  }

  #submit(): number {
    this.#submits = false;
    for (const operation of this.#waiting) {
      if (!this.#context.add(operation)) break;
      this.#waiting.delete(operation);
    }
    this.#context.submit();
    this.#goOn();
    return 0;
  }

  #reap(): void {
    this.#context.reap();
    this.#goOn();
  }

  /** What waits has its turn once there is a slot. */
  #goOn(): void {
    if (this.#waiting.size > 0 && this.#context.hasRoom) this.#submitLater();
  }

  /** An operation has ended: its callback is due. */
  #settle(operation: FileOperation, result: number): void {
    operation.settle(result);
    this.#parts.queues.push(FAST, operation, TASK_WORK);
    this.#parts.touched();
  }
}

function checkOption(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > OPTION_MAX) {
    throw new RangeError(
      `Cannot open file I/O: ${name} must be an integer from 1 to ${OPTION_MAX}, and is ${value}`,
    );
  }
}
