/**
 * A listening socket: accepts in batches, one connection for each item of work,
 * so that other work comes in between.
 *
 * @module
 */

import {
  EAGAIN,
  ECONNABORTED,
  EINTR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueRead, wish } from "../interest.ts";
import { EXHAUSTED_PAUSE_MS, isExhaustion } from "../own_event.ts";
import type { EngineParts } from "../parts.ts";
import { INACTIVE } from "../states.ts";
import { Timer } from "../timers.ts";
import { triggerRules } from "../trigger.ts";
import { ACCEPT_QUEUE, READ_WORK } from "../work_queue.ts";
import { Connection } from "./connection.ts";
import { Exhaustion } from "./exhaustion.ts";
import { adoptedListener, listeningSocket } from "./listening_socket.ts";
import {
  checkListenOptions,
  type ConnectionHandlers,
  connectionOptions,
  type ConnectionParts,
  type ListenOptions,
} from "./options.ts";
import { boundAddress, endpointAddress, isInternet } from "./socket.ts";
import {
  getSocketOption,
  setSocketOption,
  type SocketOptionName,
  type SocketOptions,
} from "./socket_options.ts";
import { SocketFile } from "./unix_path.ts";

/** Accepts after which an exclusive entry is made anew. */
const ROTATION = 16;
/** Accepts of a drain: the most that a backlog holds (net.core.somaxconn). */
const DRAIN_MAX = 65535;

/** A listening socket of an engine, made by {@linkcode Engine.listen}. */
export class Listener implements Disposable {
  readonly #parts: EngineParts;
  readonly #event: FdEvent;
  readonly #handlers: ConnectionHandlers;
  readonly #connectionParts: ConnectionParts;
  readonly #exclusive: boolean;
  readonly #acceptBatch: number;
  readonly #connectionsMax: number;
  readonly #localAddress: SocketAddress;
  #batchLeft: number;
  readonly #exhaustion: Exhaustion;
  #file: SocketFile | null = null;
  #connections = 0;
  #accepted = 0;
  #aborted = 0;
  #resting: Timer | null = null;
  #closed = false;

  static readonly #events: OwnHandlers = {
    owner: "Listener",
    read: (event) => (event.data as Listener).#accept(),
    error: (event, error) => (event.data as Listener).#failed(error),
    engineClosed: (event) => (event.data as Listener).close(),
  };

  /** @internal */
  constructor(
    parts: EngineParts,
    options: ListenOptions,
    handlers: ConnectionHandlers,
  ) {
    checkListenOptions(options, handlers);
    const limits = connectionOptions(options);
    const {
      exclusive = true,
      acceptBatch = 64,
      connectionsMax = Infinity,
      onExhausted = "wait",
    } = options;
    this.#parts = parts;
    this.#handlers = handlers;
    this.#exclusive = exclusive;
    this.#acceptBatch = acceptBatch;
    this.#batchLeft = acceptBatch;
    this.#connectionsMax = connectionsMax;
    this.#exhaustion = new Exhaustion(parts, onExhausted, this);
    const fd = this.#socket(options);
    this.#exhaustion.prepare();
    this.#localAddress = boundAddress(parts.calls, fd) ??
      { family: "unix-unnamed" };
    this.#connectionParts = {
      parts,
      handlers,
      ...limits,
      readsWhole: isInternet(this.#localAddress),
      notesActivity: this.#exhaustion.notesActivity,
      closed: (connection) => this.#connectionClosed(connection),
    };
    const level = triggerRules("level");
    this.#event = new FdEvent(fd, Listener.#events, parts, level);
    this.#event.data = this;
    this.#event.readQueue = ACCEPT_QUEUE;
    parts.registry.add(this.#event);
    this.#enable();
  }

  /** The socket's descriptor; -1 once the listener is closed. */
  get fd(): number {
    return this.#closed ? -1 : this.#event.fd;
  }

  /** The address that the socket is bound to. */
  get localAddress(): SocketAddress {
    return this.#localAddress;
  }

  /** The port that the socket is bound to; 0 for a unix socket. */
  get port(): number {
    return "port" in this.#localAddress ? this.#localAddress.port : 0;
  }

  /** Open connections that were accepted here. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections that were gone before they could be accepted (ECONNABORTED). */
  get aborted(): number {
    return this.#aborted;
  }

  /** Clients that were turned away (`onExhausted: "shed"`). */
  get shed(): number {
    return this.#exhaustion.shed;
  }

  /**
   * Asks the kernel for the value of a socket option.
   *
   * @throws {SystemError} As {@linkcode BaseSocket.getOption}.
   */
  getOption<K extends SocketOptionName>(option: K): SocketOptions[K] {
    return getSocketOption(this.#parts.calls, this.fd, option);
  }

  /**
   * Sets a socket option. Connections that are made from here on inherit most of
   * them, the sizes of buffers and those of keep-alive among them.
   *
   * @throws {TypeError} As {@linkcode BaseSocket.setOption}.
   * @throws {SystemError} As {@linkcode BaseSocket.setOption}.
   */
  setOption<K extends SocketOptionName>(
    option: K,
    value: SocketOptions[K],
  ): void {
    setSocketOption(this.#parts.calls, this.fd, option, value);
  }

  /**
   * Accepts what is in the backlog, and stops listening: for a socket that others
   * listen on, too, whom the kernel does not wake for what it woke this one for.
   */
  drain(): void {
    if (this.#closed) return;
    this.#event.delete();
    this.#parts.changes.commit();
    let left = Math.min(DRAIN_MAX, this.#connectionsMax - this.#connections);
    try {
      for (; left > 0 && !this.#closed; left--) {
        const fd = this.#acceptOne();
        if (fd >= 0) this.#open(fd);
        else if (fd !== -EINTR && fd !== -ECONNABORTED) break;
      }
    } finally {
      this.close();
    }
  }

  /**
   * Stops listening, before it returns. Connections that were accepted go on.
   * Closing again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#resting?.cancel();
    this.#exhaustion.close();
    this.#file?.remove();
    this.#event.close();
  }

  /** Closes the listener. */
  [Symbol.dispose](): void {
    this.close();
  }

  #enable(): void {
    if (this.#exclusive) this.#event.enableAccept();
    else this.#event.enableRead();
  }

  #accept(): void {
    if (this.#closed || this.#resting !== null) return;
    if (this.#connections >= this.#connectionsMax) {
      this.#event.disableRead();
      return;
    }
    const fd = this.#acceptOne();
    if (fd < 0 && !this.#goesOn(-fd)) {
      this.#batchLeft = this.#acceptBatch;
      return;
    }
    this.#batchLeft--;
    // After a whole batch the kernel, level-triggered, reports what is left.
    if (this.#batchLeft > 0) queueRead(this.#event);
    else this.#batchLeft = this.#acceptBatch;
    if (fd >= 0) this.#open(fd);
  }

  #acceptOne(): number {
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    return this.#parts.calls.accept4(this.#event.fd, flags);
  }

  #open(fd: number): void {
    this.#connections++;
    this.#accepted++;
    // The entry goes behind those of other engines that wait for the socket.
    if (this.#exclusive && this.#accepted % ROTATION === 0) {
      this.#event.forced |= READ_WORK;
      wish(this.#event);
    }
    const connection = new Connection(this.#connectionParts, fd);
    this.#exhaustion.opened(connection);
    this.#handlers.open?.(connection);
  }

  /** Whether another connection may be there after a failed accept4. */
  #goesOn(errno: number): boolean {
    switch (errno) {
      case EAGAIN:
        this.#event.readReady = false;
        this.#exhaustion.passed();
        return false;
      case EINTR:
        return true;
      case ECONNABORTED:
        this.#aborted++;
        return true;
      default:
        if (isExhaustion(errno)) return this.#exhausted(errno);
        throw new SystemError("accept4", errno, { fd: this.#event.fd });
    }
  }

  /** Whether accepting goes on though there is no descriptor, or no memory. */
  #exhausted(errno: number): boolean {
    const first = this.#batchLeft === this.#acceptBatch;
    this.#event.readReady = false;
    // The kernel fails like this without a look at the backlog, which may be
    // empty by now; if not, it reports so.
    if (first && !this.#exhaustion.relieve(this.#event.fd, errno)) this.#rest();
    return false;
  }

  /** The connection stays in the backlog, so that the kernel would go on reporting. */
  #rest(): void {
    this.#event.disableRead();
    const goOn = () => {
      this.#resting = null;
      this.#enable();
    };
    const pauseMs = EXHAUSTED_PAUSE_MS;
    this.#resting = new Timer(this.#parts, pauseMs, goOn, false, 0);
  }

  #connectionClosed(connection: Connection): void {
    this.#connections--;
    this.#exhaustion.closed(connection);
    if (this.#closed) return;
    // There is room now.
    this.#resting?.cancel();
    this.#resting = null;
    if (this.#event.readBits === INACTIVE) this.#enable();
  }

  #socket(options: ListenOptions): number {
    const parts = this.#parts;
    if (options.fd !== undefined) return adoptedListener(parts, options.fd);
    const address = endpointAddress(options, 0);
    const fd = listeningSocket(parts.calls, address, options);
    if (address.family === "unix") {
      this.#file = new SocketFile(parts.calls, address.path);
    }
    return fd;
  }

  #failed(error: SystemError | null): void {
    if (error !== null && isExhaustion(error.errno)) {
      this.#exhaustion.report(error);
      return this.#rest();
    }
    this.close();
    throw error ?? new SystemError("accept4", ECONNABORTED);
  }
}
