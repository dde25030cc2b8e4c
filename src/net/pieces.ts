/**
 * What the kernel sends by itself: a part of a file, by sendfile(2), and what comes
 * from another socket, through a pipe by splice(2).
 *
 * @module
 */

import {
  AT_EMPTY_PATH,
  EINVAL,
  EISDIR,
  ENODATA,
  F_SETPIPE_SZ,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  STATX_BASIC_STATS,
  statx_layout,
  type SystemCalls,
  SystemError,
} from "../../ffi/mod.ts";
import { checkInteger } from "./options.ts";
import type { Piece } from "./send_queue.ts";

/** Which part of a file to send. */
export interface SendFileOptions {
  /** The first byte; may be past 2 GiB. @default {0} */
  offset?: number;
  /** How many bytes; all that follow by default. */
  length?: number;
  /**
   * Whether a descriptor is closed once all is sent, or will never be. Then it is
   * closed as well where `sendFile` throws. @default {false}
   */
  close?: boolean;
}

/** A part of a file. What it owns is closed when it is sent: what it opened, and what it was given to close. */
export class FilePiece implements Piece {
  next: Piece | null = null;
  readonly syscall = "sendfile";
  readonly copied = false;
  readonly owned = true;

  readonly #calls: SystemCalls;
  readonly #name: string;
  readonly #fd: number;
  readonly #owned: boolean;
  /** The kernel moves it on. */
  readonly #position = new BigInt64Array(1);
  #left = 0;
  #closed = false;
  #shrunk = false;

  /** Throws for what can't be sent; nothing is left open then. */
  constructor(
    calls: SystemCalls,
    file: string | number,
    options: SendFileOptions,
  ) {
    const { offset = 0, length } = options;
    checkInteger("offset", offset, 0, Number.MAX_SAFE_INTEGER);
    if (length !== undefined) {
      checkInteger("length", length, 0, Number.MAX_SAFE_INTEGER);
    }
    this.#calls = calls;
    this.#owned = typeof file === "string" || options.close === true;
    this.#name = typeof file === "string" ? file : `descriptor ${file}`;
    this.#fd = typeof file === "string" ? this.#open(file) : file;
    try {
      const size = this.#size();
      const rest = Math.max(size - offset, 0);
      this.#left = length ?? rest;
      if (this.#left > rest) {
        throw new RangeError(
          `Cannot send bytes ${offset} to ${
            offset + this.#left
          } of ${this.#name}: it has ${size} bytes`,
        );
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.#position[0] = BigInt(offset);
  }

  get sent(): boolean {
    return this.#left === 0;
  }

  get address(): string {
    if (!this.#shrunk) return this.#name;
    const end = this.#position[0] + BigInt(this.#left);
    return `${this.#name}, which ends at byte ${
      this.#position[0]
    } by now, before ${end}`;
  }

  send(calls: SystemCalls, fd: number, bytesMax: number): number {
    if (this.#left === 0) return 0;
    const bytes = Math.min(this.#left, bytesMax);
    const count = calls.sendfile(fd, this.#fd, this.#position, bytes);
    if (count > 0) this.#left -= count;
    if (count !== 0) return count;
    this.#shrunk = true;
    return -ENODATA;
  }

  close(): void {
    if (!this.#owned || this.#closed) return;
    this.#closed = true;
    this.#calls.close(this.#fd);
  }

  #open(path: string): number {
    // Nonblocking: opening a FIFO would wait for somebody to write to it.
    const flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const fd = this.#calls.open(path, flags);
    if (fd < 0) throw new SystemError("open", fd, { address: path });
    return fd;
  }

  /** The file's size. Throws for what is not a regular file. */
  #size(): number {
    checkInteger("file", this.#fd, 0, 0x7fffffff);
    const about = { fd: this.#fd, address: this.#name };
    const status = new Uint8Array(statx_layout.size);
    const result = this.#calls.statx(
      this.#fd,
      "",
      AT_EMPTY_PATH,
      STATX_BASIC_STATS,
      status,
    );
    if (result < 0) throw new SystemError("statx", result, about);
    const view = new DataView(status.buffer);
    const kind = view.getUint16(statx_layout.stx_mode, true) & S_IFMT;
    if (kind !== S_IFREG) {
      const errno = kind === S_IFDIR ? EISDIR : EINVAL;
      throw new SystemError("sendfile", errno, about);
    }
    return Number(view.getBigUint64(statx_layout.stx_size, true));
  }
}

/** What a pipe may hold; the system may grant less. */
const PIPE_BYTES = 256 * 1024;

/** What has come in and not gone out. Filled when it is empty, and only then. */
export class PipePiece implements Piece {
  next: Piece | null = null;
  readonly syscall = "splice";
  readonly copied = false;
  readonly owned = false;

  readonly #calls: SystemCalls;
  readonly #reader: number;
  readonly #writer: number;
  readonly #emptied: () => void;
  #bytes = 0;
  #closed = false;

  /**
   * `emptied` is called when all has gone out. Throws SystemError where there is
   * no descriptor left.
   */
  constructor(calls: SystemCalls, emptied: () => void) {
    const fds = new Int32Array(2);
    const result = calls.pipe2(fds, O_CLOEXEC | O_NONBLOCK);
    if (result < 0) throw new SystemError("pipe2", result);
    this.#calls = calls;
    this.#reader = fds[0];
    this.#writer = fds[1];
    this.#emptied = emptied;
    // Where that is refused, it stays smaller.
    calls.fcntl(this.#writer, F_SETPIPE_SZ, PIPE_BYTES);
  }

  /** Whether there is nothing in it. */
  get sent(): boolean {
    return this.#bytes === 0;
  }

  /** Takes in what a socket has: the count, 0 at end of file, or the errno. */
  fill(fd: number): number {
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const count = this.#calls.splice(fd, this.#writer, PIPE_BYTES, flags);
    if (count > 0) this.#bytes = count;
    return count;
  }

  send(calls: SystemCalls, fd: number, bytesMax: number): number {
    const bytes = Math.min(this.#bytes, bytesMax);
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const count = calls.splice(this.#reader, fd, bytes, flags);
    if (count > 0) this.#bytes -= count;
    return count;
  }

  /** It is out of a queue: sent, or dropped with the queue. */
  close(): void {
    if (this.#bytes === 0) this.#emptied();
  }

  /** Closes the pipe. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close(this.#reader);
    this.#calls.close(this.#writer);
  }
}
