/**
 * Posting to an engine of another worker.
 *
 * @module
 */

import {
  EBADF,
  F_DUPFD_CLOEXEC,
  systemCalls,
  SystemError,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { type LaneWriter, NO_DESCRIPTOR } from "./lane.ts";
import type { LaneDescriptor } from "./lane_descriptor.ts";
import { type InboxAddress, Mailbox } from "./mailbox.ts";
import { currentThread, isThreadGone, threadId } from "./proc.ts";
import { Waker } from "./wakeup.ts";

/**
 * What became of a message.
 *
 * - `"sent"`: it is in the inbox's memory, and will be delivered unless the
 *   inbox is closed first.
 * - `"full"`: there was no room for it.
 * - `"closed"`: the inbox is closed.
 */
export type PostResult = "sent" | "full" | "closed";

/** A message that only a descriptor matters of. */
const NOTHING = new Uint8Array(0);

/** Options of {@linkcode Outbox.post}. */
export interface PostOptions {
  /**
   * How long to wait for room, in milliseconds. Negative and Infinity wait for
   * ever.
   */
  timeoutMs: number;
}

/**
 * The sending end of an {@linkcode Inbox}, for one thread. It owns one lane of
 * the inbox, and a duplicate of the inbox's eventfd, until it is closed.
 *
 * If the thread ends without closing it, a terminated worker say, messages that
 * were posted arrive, one that was being posted arrives whole or not at all,
 * and the next outbox that finds no free lane takes this one over with its
 * descriptor, which the inbox closes at the latest as it closes itself. One case
 * is left: a thread that ends right between making, writing or closing that
 * descriptor and the note of it leaves it open until the process ends, one for
 * each thread that ends so. Deno ends a worker there only if it is still busy 2 s
 * after `terminate()`; Bun may at any time.
 *
 * @example In a worker
 * ```ts ignore
 * import { Outbox } from "@edgewise/epoll";
 *
 * self.onmessage = ({ data: address }) => {
 *   using outbox = new Outbox(address);
 *   outbox.post(new TextEncoder().encode("hello"), { timeoutMs: 1000 });
 * };
 * ```
 */
export class Outbox implements Disposable {
  /** @internal Null once it is closed. */
  lane: LaneWriter | null;
  readonly #calls: SystemCalls;
  readonly #mailbox: Mailbox;
  readonly #laneIndex: number;
  readonly #descriptor: LaneDescriptor;
  readonly #waker: Waker;
  readonly #messageMax: number;
  readonly #isReceiver: boolean;

  /**
   * Opens an outbox for this thread. If the inbox is closed, so that posts
   * answer `"closed"`, this is no error.
   *
   * @throws {TypeError} If `address` is not the address of an inbox.
   * @throws {Error} If all lanes of the inbox belong to outboxes of living
   * threads: see `sendersMax`.
   * @throws {SystemError} `EMFILE` if the process has no descriptor left.
   */
  constructor(address: InboxAddress);
  /** @internal With another table of system calls than the kernel's, for tests. */
  constructor(address: InboxAddress, calls: SystemCalls);
  constructor(address: InboxAddress, calls: SystemCalls = systemCalls) {
    const mailbox = Mailbox.open(address);
    const thread = currentThread(calls);
    const lane = mailbox.claim(thread, (owner) => isThreadGone(calls, owner));
    if (lane < 0) {
      throw new Error(
        `Cannot open an outbox: all ${mailbox.lanes} lanes of the inbox are taken (sendersMax)`,
      );
    }
    this.#calls = calls;
    this.#mailbox = mailbox;
    this.#laneIndex = lane;
    this.#messageMax = mailbox.messageMax;
    this.#isReceiver = threadId(thread) === mailbox.receiver;
    this.#descriptor = mailbox.descriptor(lane);
    this.#waker = new Waker(mailbox.state, calls, this.#descriptor);
    this.#duplicate();
    // The inbox may have closed its descriptor before it was duplicated, and
    // its number may be another file's. It says so before it closes.
    if (this.#waker.isClosed()) this.#descriptor.close(calls);
    this.lane = mailbox.writer(lane);
    // The last owner may have stopped for good before it woke the receiver.
    if (!this.lane.wasEmpty()) this.#waker.wake();
  }

  /**
   * Posts a message: its bytes are copied before this returns, and are
   * delivered whole and in the order of posting. Messages of different outboxes
   * have no order. Makes no system call unless the receiver may be asleep.
   *
   * With `timeoutMs`, waits for room. That blocks the thread, which should be a
   * worker's.
   *
   * @param message At most `messageMax` bytes; may be empty.
   * @throws {RangeError} If the message is longer than the inbox's `messageMax`,
   * or `timeoutMs` is NaN.
   * @throws {TypeError} If the message is not a Uint8Array.
   * @throws {Error} If the outbox is closed; for a wait on the receiver's own
   * thread, which nothing would end.
   */
  post(message: Uint8Array, options?: PostOptions): PostResult {
    return this.#post(message, NO_DESCRIPTOR, options);
  }

  /**
   * Gives a descriptor to the inbox's engine, with a message or without: for a
   * connection, what {@linkcode Connection.detach} returned. All workers of a
   * process share its descriptors, so that only the number travels.
   *
   * From `"sent"` on it is the receiver's: the inbox hands it to its
   * `descriptor` handler, or closes it if it is closed itself before that. With
   * any other result, and when this throws, it is still yours.
   *
   * @param descriptor An open descriptor that nothing is registered for any more.
   * @throws {RangeError} As for {@linkcode Outbox.post}; if `descriptor` is not
   * an integer from 0 on.
   * @throws {TypeError} If the message is not a Uint8Array.
   * @throws {Error} As for {@linkcode Outbox.post}; if the inbox has no
   * `descriptor` handler.
   */
  give(
    descriptor: number,
    message?: Uint8Array,
    options?: PostOptions,
  ): PostResult {
    if (
      !Number.isInteger(descriptor) || descriptor < 0 ||
      descriptor > 0x7fffffff
    ) {
      throw new RangeError(
        `Cannot give a descriptor: it must be an integer from 0 to 2147483647, and is ${descriptor}`,
      );
    }
    if (!this.#mailbox.takesDescriptors) {
      throw new Error(
        `Cannot give descriptor ${descriptor}: the inbox has no descriptor handler`,
      );
    }
    const bytes = message === undefined ? NOTHING : message;
    return this.#post(bytes, descriptor, options);
  }

  #post(
    message: Uint8Array,
    descriptor: number,
    options: PostOptions | undefined,
  ): PostResult {
    const lane = this.#open("post");
    if (!(message instanceof Uint8Array)) {
      throw new TypeError("Cannot post: a message must be a Uint8Array");
    }
    if (message.length > this.#messageMax) {
      throw new RangeError(
        `Cannot post a message of ${message.length} bytes: the inbox takes ${this.#messageMax} (messageMax)`,
      );
    }
    const timeoutMs = options === undefined
      ? 0
      : this.#check(options.timeoutMs);
    const result = this.#tryPost(lane, message, descriptor);
    if (result !== "full" || timeoutMs === 0) return result;
    return this.#postWaiting(lane, message, descriptor, timeoutMs);
  }

  /**
   * Wakes the engine: the inbox's `notify` handler runs at least once after
   * this, and once for several calls if they come close together.
   *
   * @throws {Error} If the outbox is closed.
   */
  notify(): void {
    this.#open("notify");
    this.#mailbox.notify();
    this.#waker.wake();
  }

  /**
   * Stops the engine, as {@linkcode Engine.stop} does on its own thread. It does not
   * wait for its turn behind messages: what is not delivered yet is when the
   * engine runs again.
   *
   * @throws {Error} If the outbox is closed.
   */
  stop(): void {
    this.#open("stop");
    this.#mailbox.stop();
    this.#waker.wake();
  }

  /**
   * Gives the lane back and closes the descriptor. What was posted is still
   * delivered. Closing again does nothing.
   */
  close(): void {
    if (this.lane === null) return;
    this.lane = null;
    this.#descriptor.close(this.#calls);
    this.#mailbox.release(this.#laneIndex);
  }

  /** Closes the outbox. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * What is published before the seal is sent, even if the inbox says closed by
   * now: a descriptor in it is the inbox's to close.
   */
  #tryPost(
    lane: LaneWriter,
    message: Uint8Array,
    descriptor: number,
  ): PostResult {
    if (lane.write(message, descriptor)) {
      this.#waker.wake();
      return "sent";
    }
    return this.#waker.isClosed() ? "closed" : "full";
  }

  #postWaiting(
    lane: LaneWriter,
    message: Uint8Array,
    descriptor: number,
    timeoutMs: number,
  ): PostResult {
    const deadlineMs = timeoutMs < 0 ? Infinity : this.#calls.now() + timeoutMs;
    for (;;) {
      lane.prepareToWait();
      const result = this.#tryPost(lane, message, descriptor);
      if (result !== "full") return result;
      const remainingMs = deadlineMs - this.#calls.now();
      if (remainingMs <= 0) return "full";
      lane.wait(remainingMs);
    }
  }

  #check(timeoutMs: number): number {
    if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) {
      throw new RangeError(
        `Cannot post: the timeout must be a number of milliseconds, and is ${timeoutMs}`,
      );
    }
    if (this.#isReceiver && timeoutMs !== 0) {
      throw new Error(
        "Cannot wait for room in an inbox on its own thread: nothing would make any",
      );
    }
    return timeoutMs;
  }

  /** Takes over the descriptor left by a gone thread, maybe in use, or makes a new one. */
  #duplicate(): void {
    const left = this.#descriptor.borrow();
    if (left !== NO_DESCRIPTOR) return this.#descriptor.put(left);
    const fd = this.#calls.fcntl(this.#mailbox.eventfd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 && fd !== -EBADF) {
      this.#mailbox.release(this.#laneIndex);
      throw new SystemError("fcntl", -fd, { fd: this.#mailbox.eventfd });
    }
    // EBADF: the inbox is closed, and has said so.
    if (fd >= 0) this.#descriptor.put(fd);
  }

  #open(verb: string): LaneWriter {
    if (this.lane === null) {
      throw new Error(`Cannot ${verb}: the outbox is closed`);
    }
    return this.lane;
  }
}
