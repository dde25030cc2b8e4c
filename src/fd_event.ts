/**
 * One descriptor in the loop: a state and a handler for each direction, and the
 * verbs that change them.
 *
 * @module
 */

import { EAGAIN, EBADF, SystemError } from "../ffi/mod.ts";
import type { EngineParts } from "./parts.ts";
import {
  ABSENT,
  ACCEPT,
  ACTIVE,
  BLOCKED,
  DISABLED,
  type EventState,
  INACTIVE,
  ONESHOT,
  STATE_NAMES,
  wishFor,
} from "./states.ts";
import type { TriggerRules } from "./trigger.ts";
import {
  ACCEPT_QUEUE,
  ERROR_WORK,
  FAST,
  READ_QUEUE,
  READ_WORK,
  WRITE_QUEUE,
  WRITE_WORK,
} from "./work_queue.ts";

/**
 * What to call for a descriptor. A handler may be called when there is nothing
 * to read or no room to write, never the other way round: it has to expect
 * would-block.
 */
export interface FdHandlers {
  /** There is something to read, an end of file and an error included. */
  read?(event: FdEvent): void;
  /** There is room to write, or writing has become pointless. */
  write?(event: FdEvent): void;
  /**
   * The kernel refused a change (`error` says which, both directions are
   * inactive), or reported ERR or HUP with nothing to read or write (`error` is
   * null, both directions are inactive).
   */
  error?(event: FdEvent, error: SystemError | null): void;
}

/** Handlers of the engine's own parts. */
export interface OwnHandlers extends FdHandlers {
  /** The engine is closing; the event's owner closes the event. */
  engineClosed(event: FdEvent): void;
}

/**
 * A descriptor registered with an engine, made by {@linkcode Engine.register}.
 *
 * Verbs set a state for each direction and make no system call; the next
 * {@linkcode Engine.commit} makes one epoll_ctl(2) if the kernel's mask differs
 * from the wish. Each verb throws a {@linkcode SystemError} with code `EBADF`
 * once the event is closed.
 *
 * The states and verbs are those of NGINX Unit's epoll engine.
 */
export class FdEvent implements Disposable {
  /** The descriptor's number. */
  readonly fd: number;
  /**
   * Whether the kernel has reported something to read. Recorded in every state;
   * cleared when {@linkcode FdEvent.read} would block. Clear it yourself when
   * you read by other means and meet EAGAIN.
   */
  readReady = false;
  /** Whether the kernel has reported room to write; see `readReady`. */
  writeReady = false;
  /** The user's own. */
  data: unknown = undefined;

  /** @internal The state of the read direction. */
  readBits: number = INACTIVE;
  /** @internal The state of the write direction. */
  writeBits: number = INACTIVE;
  /** @internal Whether it is an accept entry: level-triggered and exclusive. */
  accepts = false;
  /** @internal The mask that the kernel should have. */
  wanted: number = ABSENT;
  /** @internal The mask that the kernel has. */
  kernel: number = ABSENT;
  /** @internal Whether the next commit sends the mask even if it agrees. */
  forced = false;
  /** @internal Whether the next commit looks at this event. */
  pending = false;
  /** @internal The handlers that are to run: READ_WORK, WRITE_WORK, ERROR_WORK. */
  due = 0;
  /** @internal The same bits for what stands in a work queue, dropped or not. */
  queued = 0;
  /** @internal */
  readQueue: number = READ_QUEUE;
  /** @internal */
  writeQueue: number = WRITE_QUEUE;
  /** @internal */
  slot = 0;
  /** @internal */
  generation = 0;
  /** @internal Whether the peer has shut down its sending side. */
  eof = false;
  /** @internal Whether the last kernel event had ERR or HUP. */
  troubled = false;
  /** @internal What the error handler will be told. */
  failure: SystemError | null = null;
  /** @internal */
  readonly handlers: FdHandlers | OwnHandlers;
  /** @internal */
  readonly parts: EngineParts;
  /** @internal Those of the engine, but for descriptors of its own parts. */
  readonly rules: TriggerRules;
  #closed = false;

  /** @internal */
  constructor(
    fd: number,
    handlers: FdHandlers | OwnHandlers,
    parts: EngineParts,
    rules: TriggerRules = parts.rules,
  ) {
    this.fd = fd;
    this.handlers = handlers;
    this.parts = parts;
    this.rules = rules;
  }

  /** The state of the read direction. */
  get readState(): EventState {
    return STATE_NAMES[this.readBits];
  }

  /** The state of the write direction. */
  get writeState(): EventState {
    return STATE_NAMES[this.writeBits];
  }

  /**
   * Whether the peer has shut down its sending side and the kernel said so
   * (EPOLLRDHUP, edge-triggered engines only). What it sent before may still
   * wait to be read.
   */
  get pendingEof(): boolean {
    return this.eof;
  }

  /** Whether the kernel does not have yet what the verbs asked for. */
  get changing(): boolean {
    return this.wanted !== this.kernel || this.forced;
  }

  /** Whether the event is closed: no handler of it is called any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Activates both directions. */
  enable(): void {
    this.#check("enable");
    this.accepts = false;
    this.readBits = ACTIVE;
    this.writeBits = ACTIVE;
    this.wish();
    if (this.readReady) this.queueRead();
    if (this.writeReady) this.queueWrite();
  }

  /**
   * Deactivates both directions, unless neither is above `"disabled"`: a spent
   * one-shot stays in the kernel, to be armed again by one call.
   */
  disable(): void {
    this.#check("disable");
    if (this.readBits > DISABLED || this.writeBits > DISABLED) {
      this.deactivate();
    }
  }

  /** Deactivates both directions and takes the descriptor out of the kernel. */
  delete(): void {
    this.#check("delete");
    this.deactivate();
  }

  /**
   * Activates the read direction. From `"blocked"` this makes no system call as
   * long as the kernel is still armed. If there is something to read already,
   * the handler is queued.
   *
   * In an edge-triggered engine, on a direction that is active and not ready,
   * this arms the kernel once more: it reports again what is there.
   */
  enableRead(): void {
    this.#check("enableRead");
    if (this.readReady) this.queueRead();
    else this.#rearm(this.readBits);
    this.readBits = ACTIVE;
    this.wish();
  }

  /** Activates the write direction; see {@linkcode FdEvent.enableRead}. */
  enableWrite(): void {
    this.#check("enableWrite");
    if (this.writeReady) this.queueWrite();
    else this.#rearm(this.writeBits);
    this.accepts = false;
    this.writeBits = ACTIVE;
    this.wish();
  }

  /**
   * Deactivates the read direction. The descriptor leaves the kernel if the
   * write direction is not armed either.
   */
  disableRead(): void {
    this.#check("disableRead");
    this.readBits = INACTIVE;
    if (this.writeBits <= DISABLED) this.writeBits = INACTIVE;
    this.due &= ~READ_WORK;
    this.wish();
  }

  /** Deactivates the write direction; see {@linkcode FdEvent.disableRead}. */
  disableWrite(): void {
    this.#check("disableWrite");
    this.writeBits = INACTIVE;
    if (this.readBits <= DISABLED) this.readBits = INACTIVE;
    this.due &= ~WRITE_WORK;
    this.wish();
  }

  /**
   * Mutes the read direction and leaves the kernel armed, without a system
   * call; `readReady` goes on being kept. Does nothing to an inactive
   * direction. An accept entry leaves the kernel instead, so that it does not
   * take connections away from others.
   *
   * In a level-triggered engine a muted direction that becomes ready is
   * disabled, as the kernel would report it on every wait.
   */
  blockRead(): void {
    this.#check("blockRead");
    if (this.readBits === INACTIVE) return;
    this.readBits = BLOCKED;
    this.due &= ~READ_WORK;
    if (this.accepts) this.wish();
  }

  /** Mutes the write direction; see {@linkcode FdEvent.blockRead}. */
  blockWrite(): void {
    this.#check("blockWrite");
    if (this.writeBits === INACTIVE) return;
    this.writeBits = BLOCKED;
    this.due &= ~WRITE_WORK;
  }

  /**
   * Arms the read direction for one event, of whatever kind, after which it is
   * `"disabled"`. The write direction becomes inactive. Always level-triggered
   * and always sent to the kernel: what is there already is reported.
   */
  oneshotRead(): void {
    this.#check("oneshotRead");
    this.#oneshot(ONESHOT, INACTIVE);
  }

  /** Arms the write direction for one event; see {@linkcode FdEvent.oneshotRead}. */
  oneshotWrite(): void {
    this.#check("oneshotWrite");
    this.#oneshot(INACTIVE, ONESHOT);
  }

  /**
   * Registers a listening socket: EPOLLIN and EPOLLEXCLUSIVE (Linux 4.5), always
   * level-triggered. The read handler is called from the accept queue, before
   * other reads. The entry keeps this nature when it is blocked or disabled and
   * `enableRead()` is called, and loses it by any other enabling.
   */
  enableAccept(): void {
    this.#check("enableAccept");
    this.accepts = true;
    this.readBits = ACTIVE;
    this.writeBits = INACTIVE;
    this.due &= ~WRITE_WORK;
    this.wish();
    if (this.readReady) this.queueRead();
  }

  /**
   * read(2) into `buffer`.
   *
   * @returns The count of bytes, 0 at end of file, or the negative errno;
   * -EAGAIN clears `readReady`.
   */
  read(buffer: Uint8Array): number {
    if (this.#closed) return -EBADF;
    const count = this.parts.calls.read(this.fd, buffer);
    if (count === -EAGAIN) this.readReady = false;
    return count;
  }

  /**
   * write(2) of `buffer`.
   *
   * @returns The count of bytes, or the negative errno; -EAGAIN clears
   * `writeReady`.
   */
  write(buffer: Uint8Array): number {
    if (this.#closed) return -EBADF;
    const count = this.parts.calls.write(this.fd, buffer);
    if (count === -EAGAIN) this.writeReady = false;
    return count;
  }

  /**
   * Deregisters the descriptor and closes it, before it returns. Nothing that
   * was reported or queued reaches the handlers from here on. Closing again
   * does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.detach();
    this.parts.calls.close(this.fd);
  }

  /**
   * Deregisters the descriptor at once, as `close()` does, and leaves it open:
   * it belongs to the caller from here on.
   *
   * @returns The descriptor.
   */
  detach(): number {
    this.#check("detach");
    this.deactivate();
    this.parts.changes.remove(this);
    this.parts.registry.remove(this);
    this.due = 0;
    this.#closed = true;
    return this.fd;
  }

  /** Closes the event and its descriptor. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal Both directions inactive, their queued handlers dropped. */
  deactivate(): void {
    this.accepts = false;
    this.readBits = INACTIVE;
    this.writeBits = INACTIVE;
    this.due &= ~(READ_WORK | WRITE_WORK);
    this.wish();
  }

  /** @internal Works out the mask that the kernel should have. */
  wish(): void {
    this.wanted = this.accepts
      ? (this.readBits === ACTIVE ? ACCEPT : ABSENT)
      : wishFor(this.readBits, this.writeBits, this.rules.mode);
    // A wish to leave the kernel wins over a demand to be sent again.
    if (this.wanted === ABSENT) this.forced = false;
    if (this.wanted !== this.kernel || this.pending) this.#touch();
  }

  /** @internal */
  queueRead(): void {
    this.due |= READ_WORK;
    if ((this.queued & READ_WORK) !== 0) return;
    this.queued |= READ_WORK;
    this.#queue(this.accepts ? ACCEPT_QUEUE : this.readQueue, READ_WORK);
  }

  /** @internal */
  queueWrite(): void {
    this.due |= WRITE_WORK;
    if ((this.queued & WRITE_WORK) !== 0) return;
    this.queued |= WRITE_WORK;
    this.#queue(this.writeQueue, WRITE_WORK);
  }

  /** @internal */
  queueError(failure: SystemError | null): void {
    this.failure = failure;
    this.due |= ERROR_WORK;
    if ((this.queued & ERROR_WORK) !== 0) return;
    this.queued |= ERROR_WORK;
    this.#queue(FAST, ERROR_WORK);
  }

  /** @internal The kernel refused a change, and has no entry for it now. */
  changeFailed(error: SystemError): void {
    this.deactivate();
    this.queueError(error);
  }

  #oneshot(read: number, write: number): void {
    this.accepts = false;
    this.readBits = read;
    this.writeBits = write;
    // The kernel will report what is ready: a queued handler would run twice.
    this.due &= ~(READ_WORK | WRITE_WORK);
    this.forced = true;
    this.wanted = read === ONESHOT
      ? wishFor(ONESHOT, INACTIVE, 0)
      : wishFor(INACTIVE, ONESHOT, 0);
    this.#touch();
  }

  #rearm(state: number): void {
    if (state !== ACTIVE || !this.rules.rearms || this.accepts) return;
    this.forced = true;
    this.#touch();
  }

  #touch(): void {
    this.parts.changes.add(this);
    this.parts.touched();
  }

  #queue(queue: number, kind: number): void {
    this.parts.queues.push(queue, this, kind);
    this.parts.touched();
  }

  #check(verb: string): void {
    if (this.#closed) {
      throw new SystemError(verb, EBADF, { fd: this.fd });
    }
  }
}
