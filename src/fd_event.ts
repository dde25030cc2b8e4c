/**
 * One descriptor in the loop: a state and a handler for each direction, and the
 * verbs that change them.
 *
 * @module
 */

import { EAGAIN, EBADF, SystemError } from "../ffi/mod.ts";
import type { FdHandlers, OwnHandlers } from "./fd_handlers.ts";
import {
  deactivate,
  dropWork,
  oneshot,
  queueRead,
  queueWrite,
  rearm,
  wish,
} from "./interest.ts";
import type { EngineParts } from "./parts.ts";
import { hasPeerEnded } from "./reported.ts";
import {
  ABSENT,
  ACTIVE,
  BLOCKED,
  DISABLED,
  type EventState,
  INACTIVE,
  ONESHOT,
  STATE_NAMES,
} from "./states.ts";
import type { TriggerRules } from "./trigger.ts";
import {
  READ_QUEUE,
  READ_WORK,
  WRITE_QUEUE,
  WRITE_WORK,
} from "./work_queue.ts";

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

  /** @internal The state of reading. */ readBits: number = INACTIVE;
  /** @internal The state of writing. */ writeBits: number = INACTIVE;
  /** @internal Whether it is an accept entry. */ accepts = false;
  /** @internal The mask that it should have. */ wanted: number = ABSENT;
  /** @internal The mask that the kernel has. */ kernel: number = ABSENT;
  /** @internal Directions whose mask is sent even if it agrees. */ forced = 0;
  /** @internal Whether the next commit looks at it. */ pending = false;
  /** @internal Handlers to run: READ_WORK, WRITE_WORK, ERROR_WORK. */ due = 0;
  /** @internal The same for what is queued, dropped or not. */ queued = 0;
  /** @internal */ readQueue: number = READ_QUEUE;
  /** @internal */ writeQueue: number = WRITE_QUEUE;
  /** @internal */ generation = 0;
  /** @internal What the kernel has reported; see `reported.ts`. */ reported =
    0;
  /** @internal For the error handler. */ failure: SystemError | null = null;
  /** @internal */ readonly handlers: FdHandlers | OwnHandlers;
  /** @internal */ readonly parts: EngineParts;
  /** @internal The engine's, or its own. */ readonly rules: TriggerRules;
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
    return hasPeerEnded(this);
  }

  /** Whether the kernel does not have yet what the verbs asked for. */
  get changing(): boolean {
    return this.wanted !== this.kernel || this.forced !== 0;
  }

  /** Whether the event is closed: no handler of it is called any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Activates both directions. */
  enable(): void {
    check(this, "enable");
    this.accepts = false;
    this.readBits = ACTIVE;
    this.writeBits = ACTIVE;
    wish(this);
    if (this.readReady) queueRead(this);
    if (this.writeReady) queueWrite(this);
  }

  /**
   * Deactivates both directions, unless neither is above `"disabled"`: a spent
   * one-shot stays in the kernel, to be armed again by one call.
   */
  disable(): void {
    check(this, "disable");
    dropWork(this);
    if (this.readBits > DISABLED || this.writeBits > DISABLED) {
      deactivate(this);
    }
  }

  /** Deactivates both directions and takes the descriptor out of the kernel. */
  delete(): void {
    check(this, "delete");
    deactivate(this);
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
    check(this, "enableRead");
    if (this.readReady) queueRead(this);
    else rearm(this, this.readBits, READ_WORK);
    this.readBits = ACTIVE;
    wish(this);
  }

  /** Activates the write direction; see {@linkcode FdEvent.enableRead}. */
  enableWrite(): void {
    check(this, "enableWrite");
    if (this.writeReady) queueWrite(this);
    else rearm(this, this.writeBits, WRITE_WORK);
    this.accepts = false;
    this.writeBits = ACTIVE;
    wish(this);
  }

  /**
   * Deactivates the read direction. The descriptor leaves the kernel if the
   * write direction is not armed either.
   */
  disableRead(): void {
    check(this, "disableRead");
    this.readBits = INACTIVE;
    if (this.writeBits <= DISABLED) this.writeBits = INACTIVE;
    this.due &= ~READ_WORK;
    this.forced &= ~READ_WORK;
    wish(this);
  }

  /** Deactivates the write direction; see {@linkcode FdEvent.disableRead}. */
  disableWrite(): void {
    check(this, "disableWrite");
    this.writeBits = INACTIVE;
    if (this.readBits <= DISABLED) this.readBits = INACTIVE;
    this.due &= ~WRITE_WORK;
    this.forced &= ~WRITE_WORK;
    wish(this);
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
    check(this, "blockRead");
    if (this.readBits === INACTIVE) return;
    this.readBits = BLOCKED;
    this.due &= ~READ_WORK;
    if (this.accepts) wish(this);
  }

  /** Mutes the write direction; see {@linkcode FdEvent.blockRead}. */
  blockWrite(): void {
    check(this, "blockWrite");
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
    check(this, "oneshotRead");
    oneshot(this, ONESHOT, INACTIVE);
  }

  /** Arms the write direction for one event; see {@linkcode FdEvent.oneshotRead}. */
  oneshotWrite(): void {
    check(this, "oneshotWrite");
    oneshot(this, INACTIVE, ONESHOT);
  }

  /**
   * Registers a listening socket: EPOLLIN and EPOLLEXCLUSIVE (Linux 4.5), always
   * level-triggered. The read handler is called from the accept queue, before
   * other reads. `enableRead()` after `blockRead()` or `disableRead()` makes it
   * an accept entry again; any other enabling makes it an ordinary one.
   */
  enableAccept(): void {
    check(this, "enableAccept");
    this.accepts = true;
    this.readBits = ACTIVE;
    this.writeBits = INACTIVE;
    this.due &= ~WRITE_WORK;
    this.forced &= ~WRITE_WORK;
    wish(this);
    if (this.readReady) queueRead(this);
  }

  /**
   * read(2) into `buffer`. Returns the count of bytes, 0 at end of file, or the
   * negative errno; -EAGAIN clears `readReady`.
   */
  read(buffer: Uint8Array): number {
    check(this, "read");
    const count = this.parts.calls.read(this.fd, buffer);
    if (count === -EAGAIN) this.readReady = false;
    return count;
  }

  /**
   * write(2) of `buffer`. Returns the count of bytes, or the negative errno;
   * -EAGAIN clears `writeReady`.
   */
  write(buffer: Uint8Array): number {
    check(this, "write");
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
   * it belongs to the caller from here on. Returns the descriptor.
   */
  detach(): number {
    check(this, "detach");
    this.#closed = true;
    this.readBits = INACTIVE;
    this.writeBits = INACTIVE;
    this.due = 0;
    this.parts.changes.remove(this);
    this.parts.registry.remove(this);
    return this.fd;
  }

  /** Closes the event and its descriptor. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function check(event: FdEvent, verb: string): void {
  if (event.closed) throw new SystemError(verb, EBADF, { fd: event.fd });
}
