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
  SystemError,
} from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { queueRead } from "../interest.ts";
import { INACTIVE } from "../states.ts";
import { triggerRules } from "../trigger.ts";
import { ACCEPT_QUEUE } from "../work_queue.ts";
import { localAddr } from "./streams_address.ts";
import { Presence } from "./streams_attendance.ts";
import type { ConnSettings } from "./streams_conn.ts";
import { Operations } from "./streams_operations.ts";
import type { Addr, Conn, Listener, WaitOptions } from "./streams_types.ts";
import { SocketFile } from "./unix_path.ts";

/** Makes the connection of a descriptor. */
type Connects<T> = new (settings: ConnSettings, fd: number) => T;

/** A listening socket. */
export class StreamListener<T extends Conn, A extends Addr>
  implements Listener<T, A> {
  readonly addr: A;
  readonly #settings: ConnSettings;
  readonly #event: FdEvent;
  readonly #presence: Presence;
  readonly #file: SocketFile | null;
  readonly #Connection: Connects<T>;
  readonly #accepts: Operations<null, T>;

  static readonly #events: OwnHandlers = {
    owner: "Listener",
    read: (event) => (event.data as StreamListener<Conn, Addr>).#acceptable(),
    error: (event, error) =>
      (event.data as StreamListener<Conn, Addr>).#failed(error),
    engineClosed: (event) => (event.data as StreamListener<Conn, Addr>).close(),
  };

  /** Takes over a listening, nonblocking socket. */
  constructor(settings: ConnSettings, fd: number, Connection: Connects<T>) {
    const { parts, attendance } = settings.host;
    this.addr = localAddr(parts.calls, fd) as A;
    this.#settings = settings;
    this.#Connection = Connection;
    const { addr } = this;
    this.#file = addr.transport === "unix" && !addr.path.startsWith("\0")
      ? new SocketFile(parts.calls, addr.path)
      : null;
    const rules = triggerRules("edge");
    this.#event = new FdEvent(fd, StreamListener.#events, parts, rules);
    this.#event.data = this;
    this.#event.readQueue = ACCEPT_QUEUE;
    this.#presence = new Presence(attendance);
    this.#accepts = new Operations(this.#presence);
    parts.registry.add(this.#event);
    this.#event.enableRead();
  }

  accept(options?: WaitOptions): Promise<T> {
    const signal = options?.signal;
    if (this.#event.closed) return Promise.reject(closedError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { host } = this.#settings;
    if (this.#event.readReady && this.#accepts.empty) {
      if (host.hasTime) {
        const fd = this.#accept();
        host.spend(0);
        if (fd >= 0) return Promise.resolve(this.#connection(fd));
        if (fd !== -EAGAIN) return Promise.reject(this.#error(fd));
      } else queueRead(this.#event);
    }
    if (this.#event.readBits === INACTIVE) this.#event.enableRead();
    return this.#accepts.add(null, signal);
  }

  close(): void {
    if (this.#event.closed) return;
    this.#file?.remove();
    this.#event.close();
    this.#accepts.failAll(closedError());
    this.#presence.closed();
  }

  ref(): void {
    this.#presence.ref();
  }

  unref(): void {
    this.#presence.unref();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return {
      next: async () => {
        try {
          return { value: await this.accept(), done: false };
        } catch (error) {
          if (!this.#event.closed) throw error;
          return { value: undefined, done: true };
        }
      },
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
  #acceptable(): void {
    while (!this.#accepts.empty) {
      const fd = this.#accept();
      if (fd === -EAGAIN) return;
      if (fd < 0) this.#accepts.fail(this.#error(fd));
      else this.#accepts.settle(this.#connection(fd));
    }
  }

  /** A descriptor, or the negative errno. */
  #accept(): number {
    const { calls } = this.#settings.host.parts;
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    let fd: number;
    do fd = calls.accept4(this.#event.fd, flags); while (
      fd === -EINTR || fd === -ECONNABORTED
    );
    if (fd === -EAGAIN) this.#event.readReady = false;
    return fd;
  }

  #connection(fd: number): T {
    return new this.#Connection(this.#settings, fd);
  }

  #failed(error: SystemError | null): void {
    const failure = error ?? new SystemError("accept4", ECONNABORTED);
    this.#accepts.failAll(asRuntimeError(failure));
  }

  #error(errno: number): Error {
    const about = { fd: this.#event.fd };
    return asRuntimeError(new SystemError("accept4", errno, about));
  }
}

function closedError(): Error {
  return runtimeError("BadResource", "Listener has been closed");
}
