/**
 * A listener that accepts when somebody asks: the interface of `Deno.Listener`.
 *
 * @module
 */

import {
  asRuntimeError,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  runtimeError,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  sockaddr_in6,
  SystemError,
} from "../../ffi/mod.ts";
import type { Bytes } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { queueRead } from "../interest.ts";
import { INACTIVE } from "../states.ts";
import { ACCEPT_QUEUE } from "../work_queue.ts";
import { internetAddr, localAddr } from "./streams_address.ts";
import type { ConnSettings } from "./streams_conn.ts";
import { Operations } from "./streams_operations.ts";
import {
  listenerEvent,
  socketEvent,
  StreamResource,
} from "./streams_resource.ts";
import type { Addr, Conn, Listener, WaitOptions } from "./streams_types.ts";
import { SocketFile } from "./unix_path.ts";

/** Makes the connection of its event. */
type Connects<T> = new (
  settings: ConnSettings,
  event: FdEvent,
  localAddr?: Addr,
  remoteAddr?: Addr,
) => T;

/** Where a listener takes what comes to any address of the machine. */
const ANY_ADDRESS = ["0.0.0.0", "::", "::ffff:0.0.0.0"];

/** A listening socket. */
export class StreamListener<T extends Conn, A extends Addr>
  extends StreamResource
  implements Listener<T, A> {
  readonly addr: A;
  /** Whether all that it accepts have its own address. */
  readonly #sharesAddr: boolean;
  /** Where the address of a peer is left; null of a unix socket. */
  readonly #peer: Bytes | null;
  readonly #settings: ConnSettings;
  readonly #file: SocketFile | null;
  readonly #Connection: Connects<T>;
  readonly #accepts: Operations<null, T>;

  /** Takes over a listening, nonblocking socket. */
  constructor(settings: ConnSettings, fd: number, Connection: Connects<T>) {
    super(settings.host, listenerEvent(settings.host, fd));
    const { calls } = this.host.parts;
    this.addr = localAddr(calls, fd) as A;
    this.#settings = settings;
    this.#Connection = Connection;
    const { addr } = this;
    this.#sharesAddr = addr.transport === "unix" ||
      !ANY_ADDRESS.includes(addr.hostname);
    this.#peer = addr.transport === "unix"
      ? null
      : new Uint8Array(sockaddr_in6.size);
    this.#file = addr.transport === "unix" && !addr.path.startsWith("\0")
      ? new SocketFile(calls, addr.path)
      : null;
    this.#accepts = new Operations(this.presence);
    this.event.readQueue = ACCEPT_QUEUE;
    this.event.enableRead();
  }

  accept(options?: WaitOptions): Promise<T> {
    const signal = options?.signal;
    if (this.event.closed) return Promise.reject(closedError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.event.readReady && this.#accepts.empty) {
      if (this.host.hasTime) {
        const fd = this.#accept();
        this.host.spend(0);
        if (fd >= 0) return Promise.resolve(this.#connection(fd));
        if (fd !== -EAGAIN) return Promise.reject(this.#error(fd));
      } else queueRead(this.event);
    }
    if (this.event.readBits === INACTIVE) this.event.enableRead();
    return this.#accepts.add(null, signal);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const accepted = (value: T) => ({ value, done: false });
    const ended = (error: unknown) => {
      if (!this.event.closed) throw error;
      return { value: undefined, done: true } as const;
    };
    return {
      next: () => this.accept().then(accepted, ended),
      return: (value?: T) => {
        this.close();
        return Promise.resolve({ value, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** There may be connections to accept. */
  override canRead(): void {
    while (!this.#accepts.empty) {
      const fd = this.#accept();
      if (fd === -EAGAIN) return;
      if (fd < 0) this.#accepts.fail(this.#error(fd));
      else this.#accepts.settle(this.#connection(fd));
    }
  }

  /** Nothing is written to a listener. */
  override canWrite(): void {}

  override hungUp(error: SystemError | null): void {
    const failure = error ?? new SystemError("accept4", ECONNABORTED);
    this.#accepts.failAll(asRuntimeError(failure));
  }

  protected override closed(): void {
    this.#file?.remove();
    this.#accepts.failAll(closedError());
  }

  /** A descriptor, whose peer is `#peer` then, or the negative errno. */
  #accept(): number {
    const { calls } = this.host.parts;
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    let fd: number;
    do fd = calls.accept4(this.event.fd, flags, this.#peer); while (
      fd === -EINTR || fd === -ECONNABORTED
    );
    if (fd === -EAGAIN) this.event.readReady = false;
    return fd;
  }

  #connection(fd: number): T {
    const local = this.#sharesAddr ? { ...this.addr } : undefined;
    const remote = this.#peer === null ? undefined : internetAddr(this.#peer);
    const event = socketEvent(this.host, fd);
    return new this.#Connection(this.#settings, event, local, remote);
  }

  #error(errno: number): Error {
    const about = { fd: this.event.fd };
    return asRuntimeError(new SystemError("accept4", errno, about));
  }
}

function closedError(): Error {
  return runtimeError("BadResource", "Listener has been closed");
}
