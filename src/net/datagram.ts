/**
 * One datagram socket: receives and sends in batches, within a budget and with
 * a bounded queue.
 *
 * @module
 */

import {
  EAGAIN,
  EBADF,
  EDESTADDRREQ,
  EINTR,
  ENOTSOCK,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueRead, queueWrite, readAgain } from "../interest.ts";
import type { EngineParts } from "../parts.ts";
import {
  type BatchPool,
  batchPool,
  type ReceiveBatch,
} from "./datagram_batch.ts";
import {
  type DatagramHandlers,
  datagramLimits,
  type DatagramOptions,
  openDatagram,
} from "./datagram_open.ts";
import { DatagramPeer, DatagramSocket } from "./datagram_socket.ts";
import { DatagramReports } from "./datagram_reports.ts";
import { DatagramSender } from "./datagram_sender.ts";
import { checkBytes } from "./options.ts";
import type { SocketFile } from "./unix_path.ts";

export type { DatagramHandlers, DatagramOptions };

/** Datagrams handed over for one event before other descriptors have their turn. */
const READ_BUDGET = 256;

/** Failures to receive, with nothing between, after which the socket is closed. */
const FAILURES_MAX = 16;

/**
 * A datagram socket, UDP or unix, made by {@linkcode Engine.datagram}.
 *
 * @example An echo server
 * ```ts
 * import { Engine } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const server = engine.datagram({ port: 0 }, {
 *   data(datagram, chunk, from) {
 *     datagram.send(chunk, from);
 *   },
 * });
 * const client = engine.datagram({ remote: { port: server.port } }, {
 *   data(_datagram, chunk) {
 *     console.log(new TextDecoder().decode(chunk)); // hello
 *     engine.stop();
 *   },
 * });
 * client.send(new TextEncoder().encode("hello"));
 * engine.run();
 * ```
 */
export class Datagram extends DatagramSocket {
  /** The user's own. */
  context: unknown = undefined;

  readonly #parts: EngineParts;
  readonly #handlers: DatagramHandlers;
  readonly #pool: BatchPool;
  readonly #reports: DatagramReports;
  readonly #sender: DatagramSender;
  readonly #connected: boolean;
  readonly #file: SocketFile | null;
  /** What was received and not handed over yet. */
  #batch: ReceiveBatch | null = null;
  #failuresInRow = 0;
  /** Something was refused: `drain` is to be called. */
  #refused = false;
  #paused = false;
  #closed = false;

  static readonly #events: OwnHandlers = {
    owner: "Datagram",
    read: (event) => (event.data as Datagram).#readable(),
    write: (event) => (event.data as Datagram).#writable(),
    error: (event, error) => (event.data as Datagram).#troubled(error),
    engineClosed: (event) => (event.data as Datagram).close(),
  };

  /** @internal */
  constructor(
    parts: EngineParts,
    options: DatagramOptions,
    handlers: DatagramHandlers,
  ) {
    const limits = datagramLimits(options, handlers);
    const { fd, domain, connected, file } = openDatagram(parts, options);
    const event = new FdEvent(fd, Datagram.#events, parts);
    super(event, domain);
    parts.registry.add(event);
    this.#parts = parts;
    this.#handlers = handlers;
    this.#connected = connected;
    this.#file = file;
    this.#pool = batchPool(parts, limits.batchMax, limits.messageMax);
    this.#reports = new DatagramReports(this, parts, handlers);
    this.#sender = new DatagramSender(event, limits, this.#reports, {
      connected,
      isUnix: this.isUnix,
    });
    event.data = this;
    event.enableRead();
  }

  /** Datagrams accepted from the user that the kernel has not taken yet. */
  get queued(): number {
    return this.#sender.length;
  }

  /** Errors so far. At most 64 wait to be told by `error`; all are counted. */
  get errors(): number {
    return this.#reports.count;
  }

  /** Whether the socket is closed: `close` has run or is about to. */
  override get closed(): boolean {
    return this.#closed;
  }

  /**
   * Queues a copy of a datagram. What is queued goes out in one sendmmsg(2) when
   * the handlers of this turn that read have run, or at once when the queue is
   * full. An empty datagram is sent as one. What waits for a unix receiver whose
   * queue is full holds up what is behind it.
   *
   * @param to A peer that `data` was called with, or that was kept, or an
   * address, which is encoded each time; left out on a connected socket.
   * @returns Whether it was accepted. If not, the kernel takes no more for now:
   * offer it again at `drain`.
   * @throws {TypeError} If `bytes` is no Uint8Array, or `to` is no address.
   * @throws {SystemError} `EDESTADDRREQ` without `to` where the socket is not
   * connected, `EBADF` once it is closed.
   */
  send(bytes: Uint8Array, to?: DatagramPeer | SocketAddress): boolean {
    if (this.#closed) this.#refuse(EBADF);
    checkBytes("send", bytes);
    if (to === undefined && !this.#connected) this.#refuse(EDESTADDRREQ);
    const peer = to === undefined
      ? null
      : to instanceof DatagramPeer
      ? to
      : DatagramPeer.at(to);
    if (this.#sender.send(bytes, peer)) return true;
    this.#refused = true;
    return false;
  }

  /**
   * Sends what is queued now, for those who can't wait for the end of the turn.
   * What the kernel does not take stays queued.
   */
  flush(): void {
    if (this.#closed) return;
    this.#sender.flush();
    // `drain` is due, and not called inside a verb.
    if (this.#refused && this.queued === 0) queueWrite(this.event);
  }

  /** Stops calling `data`, without a system call. The kernel drops what it has no room for. */
  pause(): void {
    if (this.#closed || this.#paused) return;
    this.#paused = true;
    this.event.blockRead();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (this.#closed || !this.#paused) return;
    this.#paused = false;
    this.event.enableRead();
    if (this.#batch !== null) queueRead(this.event);
  }

  /**
   * Closes at once. What is queued is sent as far as the kernel takes it without
   * waiting. Closing again does nothing.
   */
  override close(): void {
    if (this.#closed) return;
    this.#sender.flush();
    this.#destroy();
  }

  #readable(): void {
    let left = READ_BUDGET;
    let drained = false;
    try {
      for (;;) {
        left -= this.#handOver();
        if (drained || left <= 0 || !this.#reads()) return;
        drained = this.#receive();
      }
    } finally {
      // In edge mode the kernel does not report again what the budget, or a
      // handler that threw, has left.
      const more = !drained || this.#batch !== null;
      if (more && this.#reads()) readAgain(this.event);
    }
  }

  /** Calls the handler for what was received. Returns how often. */
  #handOver(): number {
    const batch = this.#batch;
    if (batch === null) return 0;
    const handlers = this.#handlers;
    let count = 0;
    // A handler may close or pause, or turn the engine, which goes on here.
    while (this.#batch === batch && batch.next < batch.count && this.#reads()) {
      const index = batch.next++;
      count++;
      handlers.data?.(
        this,
        batch.chunk(index),
        batch.peer(index),
        batch.length(index),
      );
    }
    if (this.#batch === batch && batch.next === batch.count) this.#release();
    return count;
  }

  /** Receives a batch. Returns whether that was all there is. */
  #receive(): boolean {
    const { event } = this;
    const batch = this.#batch ??= this.#pool.take();
    const count = batch.receive(this.#parts, event.fd);
    // Fewer than there is room for: the kernel had no more.
    const drained = count < this.#pool.batchMax;
    if (count > 0) {
      this.#failuresInRow = 0;
      if (drained) event.readReady = false;
      return drained;
    }
    this.#release();
    if (count === -EAGAIN) {
      this.#failuresInRow = 0;
      event.readReady = false;
      return true;
    }
    if (count !== -EINTR) this.#receiveFailed(-count);
    return false;
  }

  /** Most errors are of a datagram that was sent, and the socket goes on. */
  #receiveFailed(errno: number): void {
    this.#failuresInRow++;
    this.#reports.failed("recvmmsg", errno, this.event.fd);
    const lost = errno === EBADF || errno === ENOTSOCK;
    if (lost || this.#failuresInRow === FAILURES_MAX) this.#destroy();
  }

  #reads(): boolean {
    return !this.#closed && !this.#paused;
  }

  #release(): void {
    const batch = this.#batch;
    this.#batch = null;
    if (batch !== null) this.#pool.release(batch);
  }

  #writable(): void {
    this.#sender.flush();
    if (this.queued > 0 || !this.#refused) return;
    this.#refused = false;
    this.#handlers.drain?.(this);
  }

  /** ERR or HUP with nothing to read or write, or a failed change. */
  #troubled(error: SystemError | null): void {
    if (error !== null) {
      this.#reports.report(error);
      return this.#destroy();
    }
    // Receiving takes the error up; the directions have been made inactive.
    if (!this.#paused) this.event.enableRead();
    this.#sender.rearm();
  }

  #refuse(errno: number): never {
    throw new SystemError("send", errno, { fd: this.event.fd });
  }

  #destroy(): void {
    this.#closed = true;
    this.#release();
    this.#sender.close();
    this.event.close();
    this.#file?.remove();
    this.#reports.close();
  }
}
