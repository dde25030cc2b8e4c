/**
 * The sending half of a connection: writes with a bounded buffer, files, and the
 * end.
 *
 * @module
 */

import { type Bytes, EPIPE, MSG_NOSIGNAL, SystemError } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { Activity } from "./activity.ts";
import { FilePiece, type SendFileOptions } from "./pieces.ts";
import { checkBytes, type ConnectionParts } from "./options.ts";
import { type Piece, sendChunks, sendOn } from "./send_queue.ts";
import { DRAINED, Sender } from "./sender.ts";
import { CLOSED, CONNECTING, LOST, OPEN } from "./closing.ts";
import { StreamSocket } from "./stream_socket.ts";

/** What a {@linkcode Connection} sends, and how. */
export abstract class SendingSocket extends StreamSocket {
  /** @internal */
  protected readonly shared: ConnectionParts;
  /** @internal CONNECTING, OPEN, LOST or CLOSED. */
  protected stage: number;
  /** @internal The peer will send no more. */
  protected readEnded = false;
  /** @internal Noted only if somebody wants to know. */
  protected activity: Activity | null = null;
  /** Most connections send everything at once, and have none. */
  #sender: Sender | null = null;

  /** @internal */
  constructor(shared: ConnectionParts, event: FdEvent, stage: number) {
    super(event);
    this.shared = shared;
    this.stage = stage;
  }

  /** Bytes accepted from the user that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#sender === null ? 0 : this.#sender.length;
  }

  /** Whether the connection is closed: `close` has run or is about to. */
  override get closed(): boolean {
    return this.stage >= LOST;
  }

  /**
   * Sends bytes, and buffers a copy of what the kernel does not take, up to
   * `bufferMax`. Large writes stop once 8 MiB are sent, so that others are served.
   *
   * @returns The bytes accepted. If fewer than offered, offer the rest at
   * `drain`. 0 once the connection was closed by the peer or by an error.
   * @throws {TypeError} If `bytes` is not a Uint8Array.
   * @throws {SystemError} `EPIPE` after `end()`, `shutdown()` or `close()`.
   */
  write(bytes: Bytes): number {
    return this.#write(bytes, this.shared.bufferMax);
  }

  /**
   * Sends several chunks one after the other, as `write()` does, with one system
   * call, writev(2), for up to 1024 of them.
   *
   * @returns The bytes accepted, of all chunks together, as for `write()`.
   * @throws {TypeError} If `chunks` is not an array of them.
   * @throws {SystemError} As `write()` does.
   */
  writev(chunks: readonly Bytes[]): number {
    if (!Array.isArray(chunks)) {
      throw new TypeError(
        `Cannot write: the chunks must be an array, and are ${chunks}`,
      );
    }
    for (const chunk of chunks) checkBytes("write", chunk);
    this.#checkWritable("writev");
    if (!this.#takesMore()) return 0;
    const { bufferMax } = this.shared;
    if (this.stage === CONNECTING) {
      return this.sender.queueChunks(chunks, 0, bufferMax, false);
    }
    let sent = 0;
    if (this.shared.mergedMax > 0 && this.#merges(lengthOf(chunks))) {
      this.sender.merge();
    } else if (this.allSent) {
      this.activity?.sent();
      sent = sendChunks(this.event, chunks);
      if (sent < 0) return this.#refused(sent);
    }
    return sent + this.sender.queueChunks(chunks, sent, bufferMax, true);
  }

  /**
   * Sends a file, or a part of one, after what is buffered, by sendfile(2): its
   * bytes do not come into the process. What is written or sent after this
   * follows it. Reading a file that is not in memory holds up the loop.
   *
   * If the file has become shorter when its end is sent, the connection fails
   * with `ENODATA` and is reset, so that the peer does not take it for whole.
   *
   * @example
   * ```ts
   * import { Engine } from "@edgewise/epoll";
   *
   * using engine = new Engine();
   * engine.listen({}, {
   *   open(connection) {
   *     connection.sendFile("index.html", { offset: 100, length: 50 });
   *     connection.end();
   *   },
   * });
   * ```
   *
   * @param file A path, or a descriptor that stays yours unless `close` is set:
   * keep it open until all is sent.
   * @returns Whether all of it has been handed to the kernel. If not, `drain` is
   * called once it has, as for what is buffered.
   * @throws {SystemError} What open(2) refuses, such as `ENOENT`, with the path;
   * `EISDIR` or `EINVAL` for what is not a regular file; `EPIPE` as `write()`.
   * @throws {RangeError} If the file does not have the bytes asked for.
   */
  sendFile(file: string | number, options: SendFileOptions = {}): boolean {
    const { calls } = this.event.parts;
    const refused = this.ending || !this.#takesMore();
    if (refused && options.close === true && typeof file === "number") {
      calls.close(file);
    }
    this.#checkWritable("sendfile");
    if (refused) return false;
    return this.sendPiece(new FilePiece(calls, file, options));
  }

  /**
   * Ends the sending side after what has been written, and after `bytes`, which
   * are buffered whole. The connection closes when the peer has ended, too.
   * Throws as `write()` does.
   */
  end(bytes?: Bytes): void {
    this.#checkWritable("shutdown");
    if (bytes !== undefined) this.#write(bytes, Infinity);
    this.sender.ending = true;
    if (this.stage === OPEN && this.allSent) this.endSending();
  }

  /** `end()` without bytes. */
  shutdown(): void {
    this.end();
  }

  /** @internal What is left to send; made on first use. */
  protected get sender(): Sender {
    this.#sender ??= new Sender(this.event);
    return this.#sender;
  }

  /** @internal Whether nothing is left to send. */
  protected get allSent(): boolean {
    return this.#sender === null || this.#sender.empty;
  }

  /** @internal Whether the write handler is wanted. */
  protected get flushing(): boolean {
    return this.#sender !== null && this.#sender.flushing;
  }

  /** @internal Whether the user will write no more. */
  protected get ending(): boolean {
    return this.#sender !== null && this.#sender.ending;
  }

  /** @internal Whether the sending side is shut down. */
  protected get hasEnded(): boolean {
    return this.#sender !== null && this.#sender.ended;
  }

  /** @internal Another socket is connected instead. */
  protected useEvent(event: FdEvent): void {
    this.event = event;
    this.forgetAddresses();
    if (this.#sender !== null) this.#sender.event = event;
  }

  /** @internal Drops what is left to send. */
  protected dropQueued(): void {
    this.#sender?.clear();
  }

  /** @internal Sends what the kernel moves by itself; whether all of it is sent. */
  protected sendPiece(piece: Piece): boolean {
    if (this.allSent) this.activity?.sent();
    const left = this.sender.send(piece, this.stage === OPEN);
    if (left < 0) this.sendFailed(left);
    return left === DRAINED;
  }

  /** @internal There may be room for what is queued. */
  protected sendQueued(): void {
    const sender = this.#sender;
    if (sender === null) return;
    const before = sender.progress;
    const left = sender.flush();
    if (left < 0) return this.sendFailed(left);
    if (sender.progress !== before) this.activity?.sent();
    if (left !== DRAINED) return;
    const { owesDrain } = sender;
    sender.owesDrain = false;
    if (this.closesSoon()) this.destroy(LOST, null);
    else if (sender.ending) this.endSending();
    else if (owesDrain) this.drained();
  }

  /** @internal The peer has ended, the user does not care: only what is queued is left. */
  protected closesSoon(): boolean {
    return this.readEnded && !this.outlivesEnd;
  }

  /** @internal All is sent. */
  protected endSending(): void {
    const result = this.sender.end();
    // What broke the connection says more than that there is none.
    if (result < 0) this.fail("shutdown", this.takeError() || -result);
    else if (this.readEnded) this.destroy(LOST, null);
  }

  /** @internal Sending has failed with a negative errno. */
  protected sendFailed(errno: number): void {
    const error = this.sender.failure(errno);
    // A peer that has got a part must not take it for the whole.
    if (error.syscall !== "send") this.resetOnClose();
    this.destroy(LOST, error);
  }

  /** @internal Whether the end of what is read is no reason to close. */
  protected abstract get outlivesEnd(): boolean;
  /** @internal Tells that everything has been sent. */
  protected abstract drained(): void;
  /** @internal Closes, with an error. */
  protected abstract fail(syscall: string, errno: number): void;
  /** @internal Closes. */
  protected abstract destroy(stage: number, error: SystemError | null): void;

  #write(bytes: Bytes, bufferMax: number): number {
    checkBytes("write", bytes);
    this.#checkWritable("send");
    if (bytes.length === 0 || !this.#takesMore()) return 0;
    if (this.stage === CONNECTING) {
      return this.sender.queueBytes(bytes, 0, bufferMax, false);
    }
    let sent = 0;
    if (this.#merges(bytes.length)) {
      this.sender.merge();
    } else if (this.allSent) {
      if (this.activity !== null) this.activity.sent();
      const { event } = this;
      sent = event.parts.calls.send(event.fd, bytes, MSG_NOSIGNAL);
      if (sent === bytes.length) return sent;
      sent = sendOn(event, bytes, sent);
      if (sent === bytes.length) return sent;
      if (sent < 0) return this.#refused(sent);
    }
    return sent + this.sender.queueBytes(bytes, sent, bufferMax, true);
  }

  /** Whether so many bytes go out together with others. */
  #merges(length: number): boolean {
    return length > 0 && length <= this.shared.mergedMax;
  }

  #refused(errno: number): number {
    this.sendFailed(errno);
    return 0;
  }

  #takesMore(): boolean {
    return this.stage < LOST && !this.closesSoon();
  }

  #checkWritable(syscall: string): void {
    if (this.ending || this.stage === CLOSED) {
      throw new SystemError(syscall, EPIPE, { fd: this.event.fd });
    }
  }
}

function lengthOf(chunks: readonly Bytes[]): number {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return length;
}
