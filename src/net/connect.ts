/**
 * Making connections: to an address or a name, and of a socket taken over.
 *
 * Connecting does not wait: the name is looked up, then its addresses are tried in
 * turn, until one answers, the time is over, or somebody cancels.
 *
 * @module
 */

import {
  EAGAIN,
  EINPROGRESS,
  EINTR,
  encodeAddress,
  ETIMEDOUT,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { Timer } from "../timers.ts";
import { CONNECT_QUEUE, FAST, type Task, TASK_WORK } from "../work_queue.ts";
import {
  type Connectable,
  Connection,
  type Connector,
  NO_SOCKET,
} from "./connection.ts";
import {
  type AdoptOptions,
  checkArguments,
  checkInteger,
  CONNECTION_HANDLERS,
  type ConnectionHandlers,
  connectionOptions,
  type ConnectOptions,
} from "./options.ts";
import { type Lookup, lookUp } from "./resolver.ts";
import {
  addressText,
  adoptedSocket,
  boundAddress,
  endpointAddress,
  isInternet,
  streamSocket,
} from "./socket.ts";

/** Labels of letters, digits, hyphens and underscores; the last is no number. */
const HOST_NAME = /^([\w-]{1,63}\.)*(?!\d+\.?$)[\w-]{1,63}\.?$/;
const HOST_NAME_MAX = 254;

/** Starts to connect. What fails from here on is told to the handlers. */
export function connect(
  parts: EngineParts,
  options: ConnectOptions,
  handlers: ConnectionHandlers,
): Connection {
  checkArguments("connect", options, handlers, CONNECTION_HANDLERS);
  const limited = { parts, handlers, ...connectionOptions(options) };
  return beginConnecting(
    parts,
    options,
    (readsWhole) => new Connection({ ...limited, readsWhole }, NO_SOCKET),
  );
}

/**
 * Starts to connect what `make` makes, once the options are known to be right;
 * it is told whether it will be TCP.
 */
export function beginConnecting<C extends Connectable>(
  parts: EngineParts,
  options: ConnectOptions,
  make: (isTcp: boolean) => C,
): C {
  const { timeoutMs = Infinity, signal } = options;
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
    throw new RangeError(
      `Cannot connect: timeoutMs must be a number from 0 on, and is ${timeoutMs}`,
    );
  }
  signal?.throwIfAborted();
  const { hostname = "", port = 0, path } = options;
  const limits = { timeoutMs, signal };
  if (path === undefined && isHostName(hostname)) {
    checkInteger("port", port, 1, 65535);
    const connection = make(true);
    const target = `${hostname}:${port}`;
    const connecting = new Connecting(parts, connection, target, limits);
    connecting.lookUp(hostname, port);
    return connection;
  }
  const address = endpointAddress(options, 1);
  // What is wrong with it shows here, before there is a socket.
  encodeAddress(address);
  const fd = streamSocket(parts.calls, address);
  const target = addressText(address);
  const connection = make(isInternet(address));
  connection.useSocket(fd, target);
  new Connecting(parts, connection, target, limits).connect(address);
  return connection;
}

/** Takes over a connected socket; `open` is called in the next turn. */
export function adopt(
  parts: EngineParts,
  fd: number,
  handlers: ConnectionHandlers,
  options: AdoptOptions,
): Connection {
  checkArguments("adopt", options, handlers, CONNECTION_HANDLERS);
  const limited = connectionOptions(options);
  adoptedSocket(parts, fd);
  const address = boundAddress(parts.calls, fd);
  const readsWhole = address !== null && isInternet(address);
  const shared = { parts, handlers, ...limited, readsWhole };
  const connection = new Connection(shared, fd);
  const open = () => {
    if (!connection.closed) handlers.open?.(connection);
    return 1;
  };
  parts.queues.push(FAST, { source: connection, run: open }, TASK_WORK);
  parts.touched();
  return connection;
}

/** Whether it is a name to look up, and no address. */
export function isHostName(hostname: string): boolean {
  return typeof hostname === "string" && hostname.length <= HOST_NAME_MAX &&
    HOST_NAME.test(hostname);
}

/** The pauses between attempts at a unix socket whose backlog is full. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 100;
/** Attempts until such a connection fails with EAGAIN: about two minutes. */
const RETRIES_MAX = 1200;
/** How long an address is tried while there are others. */
const ATTEMPT_MAX_MS = 10_000;

/** When to give up. */
interface ConnectLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Establishes one connection. */
export class Connecting implements Connector {
  readonly #parts: EngineParts;
  readonly #connection: Connectable;
  readonly #signal: AbortSignal | undefined;
  /** The end of all attempts, Infinity for none. */
  readonly #deadlineMs: number;
  readonly #deadline: Timer | null = null;
  #lookup: Lookup | null = null;
  /** The pause before the same address is tried again, or the end of an attempt. */
  #timer: Timer | null = null;
  #addresses: SocketAddress[] = [];
  #next = 0;
  #retries = 0;
  /** What is being tried, for errors. */
  #target: string;
  #stopped = false;

  constructor(
    parts: EngineParts,
    connection: Connectable,
    target: string,
    limits: ConnectLimits,
  ) {
    const { timeoutMs, signal } = limits;
    this.#parts = parts;
    this.#connection = connection;
    this.#target = target;
    this.#signal = signal;
    this.#deadlineMs = Infinity;
    connection.connector = this;
    signal?.addEventListener("abort", this.#abort);
    if (timeoutMs === Infinity) return;
    const expired = () => this.#expired();
    this.#deadline = new Timer(parts, timeoutMs, expired, false, 0);
    this.#deadlineMs = this.#deadline.deadlineMs;
  }

  /** Looks a name up, and connects to what it is found to be. */
  lookUp(name: string, port: number): void {
    this.#lookup = {
      name,
      cancelled: false,
      abandoned: () => this.#connection.close(),
      resolved: (addresses, error) => {
        if (error !== null) return this.#connection.connectFailed(error);
        this.connectToAny(addresses.map((address) => ({ ...address, port })));
      },
    };
    try {
      lookUp(this.#parts, this.#lookup);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Tries addresses in turn; there is at least one. */
  connectToAny(addresses: SocketAddress[]): void {
    this.#addresses = addresses;
    this.#tryNext();
  }

  /** Connects the socket that the connection has. */
  connect(address: SocketAddress): void {
    this.#target = addressText(address);
    const { calls } = this.#parts;
    const result = calls.connect(this.#connection.fd, encodeAddress(address));
    // An interrupted connect(2) goes on by itself.
    if (result === 0 || result === -EINPROGRESS || result === -EINTR) {
      this.#limitAttempt();
      return this.#connection.awaitConnected();
    }
    if (result === -EAGAIN && !isInternet(address)) {
      if (this.#retries < RETRIES_MAX) return this.#retry(address);
    }
    const about = { fd: this.#connection.fd, address: this.#target };
    this.#failLater(new SystemError("connect", result, about));
  }

  failed(error: SystemError): void {
    this.#timer?.cancel();
    if (this.#next === this.#addresses.length) {
      return this.#connection.connectFailed(error);
    }
    this.#tryNext();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#lookup !== null) this.#lookup.cancelled = true;
    this.#timer?.cancel();
    this.#deadline?.cancel();
    this.#signal?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => this.#connection.close();

  #tryNext(): void {
    const address = this.#addresses[this.#next++];
    try {
      const fd = streamSocket(this.#parts.calls, address);
      this.#connection.useSocket(fd, addressText(address));
    } catch (error) {
      // No descriptor, or a family that this system does not have.
      return this.failed(error as SystemError);
    }
    this.connect(address);
  }

  #retry(address: SocketAddress): void {
    const pauseMs = Math.min(RETRY_MIN_MS * 2 ** this.#retries, RETRY_MAX_MS);
    this.#retries++;
    const again = () => this.connect(address);
    this.#timer = new Timer(this.#parts, pauseMs, again, false, 0);
  }

  /** An address that does not answer must not take the time of the others. */
  #limitAttempt(): void {
    const others = this.#addresses.length - this.#next;
    if (others === 0) return;
    const leftMs = this.#deadlineMs - this.#parts.calls.now();
    const attemptMs = Math.min(ATTEMPT_MAX_MS, leftMs / (others + 1));
    const over = () => this.failed(this.#timedOut());
    this.#timer = new Timer(this.#parts, attemptMs, over, false, 0);
  }

  #expired(): void {
    this.#connection.connectFailed(this.#timedOut());
  }

  #timedOut(): SystemError {
    const { fd } = this.#connection;
    const about = fd < 0
      ? { address: this.#target }
      : { fd, address: this.#target };
    return new SystemError("connect", ETIMEDOUT, about);
  }

  /** So that no handler runs inside `connect()`. */
  #failLater(error: SystemError): void {
    const task: Task = {
      source: this.#connection,
      run: () => {
        if (!this.#stopped) this.failed(error);
        return 1;
      },
    };
    this.#parts.queues.push(CONNECT_QUEUE, task, TASK_WORK);
    this.#parts.touched();
  }
}
