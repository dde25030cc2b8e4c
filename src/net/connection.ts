/**
 * One stream connection: from connecting to closing, its timeouts, and the order
 * of callbacks.
 *
 * @module
 */

import { ETIMEDOUT, SystemError } from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueWrite } from "../interest.ts";
import { isTroubled } from "../reported.ts";
import { streamRules } from "../trigger.ts";
import { CONNECT_QUEUE, WRITE_QUEUE } from "../work_queue.ts";
import { Activity, type TimeoutKind } from "./activity.ts";
import { CLOSED, Closing, CONNECTING, LOST, OPEN } from "./closing.ts";
import type { ConnectionParts } from "./options.ts";
import { ReceivingSocket } from "./receiving_socket.ts";
import { muteWrites } from "./sender.ts";

/** Stands for the socket until there is one. */
export const NO_SOCKET = -1;

/** What is connecting something. */
export interface Connector {
  /** An attempt has failed: there may be other addresses. */
  failed(error: SystemError): void;
  /** The connection is established, or closed. */
  stop(): void;
}

/** What can be connected. */
export interface Connectable {
  /** Its socket; -1 while it has none. */
  readonly fd: number;
  /** What is connecting it; null once it has. */
  connector: Connector | null;
  /** A socket to connect with, and where to; another one replaces it. */
  useSocket(fd: number, peer: string): void;
  /** connect(2) was called: the rest is told by the write handler. */
  awaitConnected(): void;
  /** There is nothing left to try. */
  connectFailed(error: SystemError): void;
  /** Gives up. */
  close(): void;
}

/**
 * A stream connection, made by {@linkcode Engine.listen} or
 * {@linkcode Engine.connect}.
 */
export class Connection extends ReceivingSocket {
  /** The user's own. */
  context: unknown = undefined;

  /** @internal What is connecting it; null once it has. */
  connector: Connector | null = null;
  #peer = "";

  /** @internal */
  static readonly events: OwnHandlers = {
    owner: "Connection",
    read: ReceivingSocket.receive,
    write: (event) => (event.data as Connection).#writable(),
    error: (event, error) => (event.data as Connection).#hungUp(error),
    engineClosed: (event) => (event.data as Connection).close(),
  };

  /** @internal `fd` is a connected socket, or `NO_SOCKET`: it is to connect. */
  constructor(shared: ConnectionParts, fd: number) {
    const connecting = fd === NO_SOCKET;
    super(shared, eventFor(shared, fd), connecting ? CONNECTING : OPEN);
    this.event.data = this;
    if (shared.notesActivity) this.activity = new Activity(this, shared.parts);
    // A socket that is not connecting yet would report HUP at once.
    if (connecting) return;
    shared.parts.registry.add(this.event);
    if (this.event.rules.repeats) this.event.enableRead();
    else {
      // Both directions at once: one epoll_ctl for the connection's life.
      this.event.enable();
      this.event.blockWrite();
    }
  }

  /**
   * Sets a timeout, from now on and after each activity:
   *
   * - `"idle"`: nothing was received and nothing sent for so long;
   * - `"read"`: nothing was received for so long, pauses not counted;
   * - `"write"`: something is buffered and nothing of it could be sent.
   *
   * When it has passed, the `timeout` handler is called. Without one the
   * connection is reset: `error` is called with `ETIMEDOUT`, then `close`.
   *
   * A timeout costs no system call, and at most a tenth of it more, or 50 ms. It
   * is measured between rounds of the loop, and starts over when the loop was
   * held up for half of it.
   *
   * @param timeoutMs Milliseconds; 0 or Infinity for none.
   * @throws {RangeError} If `timeoutMs` is NaN or negative.
   */
  timeout(timeoutMs: number, kind: TimeoutKind = "idle"): void {
    if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
      throw new RangeError(
        `Cannot set a timeout: it must be a number of milliseconds from 0 on, and is ${timeoutMs}`,
      );
    }
    if (kind !== "idle" && kind !== "read" && kind !== "write") {
      throw new TypeError(`Cannot set a timeout: its kind is ${kind}`);
    }
    if (this.closed) return;
    this.activity ??= new Activity(this, this.shared.parts);
    this.activity.set(kind, timeoutMs === 0 ? Infinity : timeoutMs);
  }

  /**
   * Closes at once. What is still buffered is dropped; use `end()` to have it
   * sent. Closing again does nothing.
   */
  override close(): void {
    this.destroy(CLOSED, null);
  }

  /** Closes with an RST (SO_LINGER of 0), so that no TIME_WAIT stays behind. */
  override reset(): void {
    if (this.closed) return;
    this.resetOnClose();
    this.close();
  }

  /**
   * Takes the descriptor away, open and nonblocking: it belongs to the caller
   * from here on, who may give it to {@linkcode Engine.adopt} of an engine in
   * any worker of the process. No handler is called any more, `close` included.
   * Throws if anything is left to be sent, or the connection is not established,
   * or is spliced.
   */
  detach(): number {
    if (this.routed) {
      throw new Error(
        `Cannot detach descriptor ${this.event.fd}: it is spliced`,
      );
    }
    if (this.stage !== OPEN || !this.allSent) {
      const state = this.stage === OPEN ? "" : ", and is not open";
      const file = this.allSent || this.bufferedBytes > 0
        ? ""
        : " and a file to send";
      throw new Error(
        `Cannot detach descriptor ${this.event.fd}: it has ${this.bufferedBytes} bytes buffered${file}${state}`,
      );
    }
    this.stage = CLOSED;
    this.activity?.stop();
    this.event.detach();
    this.shared.closed?.(this);
    return this.event.fd;
  }

  /** @internal Whether something waits to be sent. */
  get sending(): boolean {
    return this.stage === OPEN && !this.allSent;
  }

  /** @internal The turn of the loop in which it was last active, if it is idle. */
  get idleSinceTurn(): number {
    const idle = this.stage === OPEN && this.allSent;
    return idle && this.activity !== null ? this.activity.turn : Infinity;
  }

  /** @internal A timeout has passed. */
  timedOut(kind: TimeoutKind): void {
    if (this.stage !== OPEN) return;
    const { handlers } = this.shared;
    if (handlers.timeout !== undefined) return handlers.timeout(this, kind);
    this.resetOnClose();
    this.fail(kind === "write" ? "send" : "recv", ETIMEDOUT);
  }

  /** @internal A socket to connect with, and where to; another one replaces it. */
  useSocket(fd: number, peer: string): void {
    if (this.event.fd !== NO_SOCKET) this.event.close();
    this.useEvent(eventFor(this.shared, fd));
    this.event.data = this;
    this.shared.parts.registry.add(this.event);
    this.#peer = peer;
  }

  /** @internal connect(2) was called: the rest is told by the write handler. */
  awaitConnected(): void {
    this.event.writeQueue = CONNECT_QUEUE;
    this.event.enable();
    this.event.blockRead();
  }

  /** @internal There is nothing left to try. */
  connectFailed(error: SystemError): void {
    this.destroy(LOST, error);
  }

  #writable(): void {
    if (this.stage === CONNECTING) this.#finishConnecting();
    else this.sendQueued();
  }

  #finishConnecting(): void {
    // Only ERR or HUP beside OUT means that connecting can have failed.
    const errno = isTroubled(this.event) ? this.takeError() : 0;
    if (errno !== 0) return this.#attemptFailed(errno);
    this.stage = OPEN;
    this.connector?.stop();
    this.connector = null;
    this.event.writeQueue = WRITE_QUEUE;
    if (this.flushing) queueWrite(this.event);
    else muteWrites(this.event);
    this.startReading();
    try {
      this.shared.handlers.open?.(this);
    } finally {
      const ends = this.ending && !this.flushing;
      if (ends && !this.closed) this.endSending();
    }
  }

  /** ERR or HUP without anything to read or write, or a failed change. */
  #hungUp(error: SystemError | null): void {
    if (error !== null) return this.destroy(LOST, error);
    const errno = this.takeError();
    if (this.stage === CONNECTING && errno !== 0) {
      return this.#attemptFailed(errno);
    }
    if (errno === 0) return this.destroy(LOST, null);
    this.fail("recv", errno);
  }

  #attemptFailed(errno: number): void {
    const about = { fd: this.event.fd, address: this.#peer };
    const error = new SystemError("connect", errno, about);
    if (this.connector === null) this.destroy(LOST, error);
    else this.connector.failed(error);
  }

  /** @internal */
  protected override received(chunk: Uint8Array): void {
    this.shared.handlers.data?.(this, chunk);
  }

  /** @internal */
  protected override ended(): void {
    this.shared.handlers.end?.(this);
  }

  /** @internal */
  protected override drained(): void {
    this.shared.handlers.drain?.(this);
  }

  /** @internal */
  protected override fail(syscall: string, errno: number): void {
    const error = new SystemError(syscall, errno, { fd: this.event.fd });
    this.destroy(LOST, error);
  }

  /** @internal */
  protected override destroy(stage: number, error: SystemError | null): void {
    if (this.closed) return;
    this.stage = stage;
    this.activity?.stop();
    this.connector?.stop();
    if (this.event.fd !== NO_SOCKET) this.event.close();
    this.dropQueued();
    this.endRoutes();
    new Closing(this, this.shared, error);
  }
}

function eventFor({ parts }: ConnectionParts, fd: number): FdEvent {
  const rules = streamRules(parts.rules);
  return new FdEvent(fd, Connection.events, parts, rules);
}
