/**
 * Taking messages from other workers: one receiver, many senders.
 *
 * @module
 */

import { EFD_CLOEXEC, EFD_NONBLOCK, SystemError } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import { NO_DESCRIPTOR } from "./lane.ts";
import { type InboxAddress, Mailbox } from "./mailbox.ts";
import { watchOwn } from "./own_event.ts";
import type { EngineParts } from "./parts.ts";
import { type MessageHandler, Receiver } from "./receiver.ts";
import { triggerRules } from "./trigger.ts";
import { clearEventfd, writeEventfd } from "./wakeup.ts";
import { FAST } from "./work_queue.ts";

/** Wake-ups after which the eventfd's counter, of 64 bits, is set back. */
const WAKEUPS_MAX = 0xffffffff;

/** Options of {@linkcode Engine.inbox}. */
export interface InboxOptions {
  /**
   * Outboxes that can be open at the same time, 1 to 65535. Each has a descriptor
   * until it or the inbox is closed; for threads that end without closing theirs
   * see {@linkcode Outbox}. @default {16}
   */
  sendersMax?: number;
  /**
   * What each sender can have on its way, in bytes, where a message takes its
   * length, rounded up to a multiple of 4, and 4 more. The inbox allocates this
   * `sendersMax` times. @default {65536}
   */
  laneBytes?: number;
  /** The longest message, in bytes, at most `laneBytes`. @default {laneBytes} */
  messageMax?: number;
  /** Called at least once after an {@linkcode Outbox.notify}. */
  notify?(): void;
  /**
   * Called instead of the message handler for what {@linkcode Outbox.give} sent.
   * The descriptor is this handler's from here on, to adopt, listen on or close.
   * Without this handler the inbox takes no descriptors.
   */
  descriptor?(descriptor: number, message: Uint8Array): void;
  /** @internal Wake-ups after which the eventfd is read, for tests. */
  wakeupsMax?: number;
}

/**
 * Where other workers post to an engine, made by {@linkcode Engine.inbox}.
 *
 * Each sender has a lane of its own in shared memory, without locks. Its
 * messages arrive whole and in order; the lanes are served in turn. An eventfd
 * wakes the engine if it may be asleep; otherwise neither side makes a system
 * call.
 */
export class Inbox implements Disposable {
  /** What an {@linkcode Outbox} is made with. Structured clone copies it. */
  readonly address: InboxAddress;
  /** @internal What errors are reported to come from. */
  readonly source: object = this;

  readonly #parts: EngineParts;
  readonly #receive: MessageHandler;
  readonly #notify: (() => void) | undefined;
  readonly #mailbox: Mailbox;
  readonly #receiver: Receiver;
  readonly #event: FdEvent;
  readonly #wakeupsMax: number;
  #wakeups = 0;
  #queued = false;
  #delivering = false;

  /** @internal */
  constructor(
    parts: EngineParts,
    options: InboxOptions,
    handler: (message: Uint8Array) => void,
  ) {
    const {
      sendersMax = 16,
      laneBytes = 65536,
      messageMax = laneBytes,
      notify,
      wakeupsMax = WAKEUPS_MAX,
    } = options;
    const takesDescriptors = options.descriptor !== undefined;
    const { calls } = parts;
    const limits = { sendersMax, laneBytes, messageMax };
    const mailbox = Mailbox.create(limits, calls.gettid());
    const fd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", -fd);
    mailbox.eventfd = fd;
    mailbox.takesDescriptors = takesDescriptors;
    this.address = mailbox.address;
    this.#parts = parts;
    this.#receive = (message, descriptor) => {
      parts.metrics.posts++;
      if (descriptor === NO_DESCRIPTOR) handler(message);
      else options.descriptor?.(descriptor, message);
    };
    this.#notify = notify;
    this.#mailbox = mailbox;
    this.#receiver = new Receiver(mailbox, () => calls.now());
    this.#wakeupsMax = wakeupsMax;
    // Until the engine's first turn it counts as asleep.
    this.#receiver.sleep();
    this.#event = this.#register(fd);
    parts.sources.push(this);
  }

  /**
   * Closes the inbox, from a handler or from outside. What has not been
   * delivered is dropped, and descriptors among it are closed; senders that wait
   * for room go on, and their posts answer `"closed"`. Closing again does nothing.
   */
  close(): void {
    if (this.#receiver.closed) return;
    // Said before the descriptor is closed: see the constructor of Outbox.
    this.#receiver.close((fd) => this.#parts.calls.close(fd));
    this.#event.close();
    const { sources } = this.#parts;
    sources.splice(sources.indexOf(this), 1);
  }

  /** Closes the inbox. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The engine is about to wait. Whether there is work to do instead. */
  sleep(): boolean {
    return this.#receiver.sleep();
  }

  /** @internal The engine is back at work. Whether this is to be queued. */
  wake(): boolean {
    if (!this.#receiver.wake() || this.#queued) return false;
    this.#queued = true;
    return true;
  }

  /** @internal Makes the engine's descriptor readable. */
  ring(): void {
    writeEventfd(this.#parts.calls, this.#event.fd);
  }

  /** @internal Runs the handlers for a bounded share of what there is. */
  run(): number {
    this.#queued = false;
    // A handler that turns the engine keeps its message until it returns.
    if (this.#delivering) return 0;
    this.#delivering = true;
    let ran = 0;
    try {
      ran = this.#receiver.deliver(this.#receive);
    } finally {
      this.#delivering = false;
    }
    if (this.#receiver.closed) return ran;
    if (this.#mailbox.takeStop()) this.#parts.stop();
    if (!this.#mailbox.takeNotify() || this.#notify === undefined) return ran;
    this.#notify();
    return ran + 1;
  }

  /** Edge-triggered in a level engine too, so that wake-ups need no read. */
  #register(fd: number): FdEvent {
    const handlers: OwnHandlers = {
      owner: "Inbox",
      read: () => this.#wokenUp(),
      engineClosed: () => this.close(),
    };
    const edge = triggerRules("edge");
    const event = watchOwn(this.#parts, fd, edge, handlers, this);
    event.readQueue = FAST;
    return event;
  }

  /**
   * Each wake-up adds to the counter, and a counter at its limit wakes nobody.
   * An edge that a read takes back is made up for: the engine looks at the
   * lanes before it waits.
   */
  #wokenUp(): void {
    this.#parts.metrics.wakeups++;
    if (++this.#wakeups < this.#wakeupsMax) return;
    this.#wakeups = 0;
    clearEventfd(this.#parts.calls, this.#event.fd);
  }
}
