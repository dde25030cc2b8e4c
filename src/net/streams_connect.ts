/**
 * Connecting for streams. The descriptor stays registered when it is connected:
 * one epoll_ctl for the connection's life.
 *
 * @module
 */

import { asRuntimeError, EBADF, SystemError } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { isTroubled } from "../reported.ts";
import { CONNECT_QUEUE, WRITE_QUEUE } from "../work_queue.ts";
import { beginConnecting } from "./connect.ts";
import type { Connectable, Connector } from "./connection.ts";
import type { ConnectOptions } from "./options.ts";
import { pendingError } from "./socket.ts";
import { Presence } from "./streams_attendance.ts";
import type { StreamHost } from "./streams_host.ts";
import { type EventOwner, socketEvent } from "./streams_resource.ts";

/** What a promise is settled by. */
interface Settling<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** A connection that `take` makes of a connected socket's event. */
export function connectTo<T>(
  host: StreamHost,
  options: ConnectOptions,
  take: (event: FdEvent) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settling: Settling<T> = {
      resolve,
      reject: (reason) =>
        reject(
          reason instanceof SystemError ? asRuntimeError(reason) : reason,
        ),
    };
    let connecting: StreamConnecting<T> | null = null;
    try {
      beginConnecting(
        host.parts,
        options,
        () =>
          connecting = new StreamConnecting(
            host,
            options.signal,
            take,
            settling,
          ),
      );
    } catch (error) {
      const made = connecting as StreamConnecting<T> | null;
      if (made === null) settling.reject(error);
      else made.connectFailed(error);
    }
  });
}

/** A socket that connects, until it does. */
class StreamConnecting<T> implements Connectable, EventOwner {
  connector: Connector | null = null;
  readonly #host: StreamHost;
  readonly #presence: Presence;
  readonly #signal: AbortSignal | undefined;
  readonly #take: (event: FdEvent) => T;
  readonly #settling: Settling<T>;
  #event: FdEvent | null = null;
  #peer = "";
  #settled = false;

  constructor(
    host: StreamHost,
    signal: AbortSignal | undefined,
    take: (event: FdEvent) => T,
    settling: Settling<T>,
  ) {
    this.#host = host;
    this.#signal = signal;
    this.#take = take;
    this.#settling = settling;
    this.#presence = new Presence(host.attendance);
    this.#presence.began();
  }

  get fd(): number {
    return this.#event?.fd ?? -1;
  }

  useSocket(fd: number, peer: string): void {
    this.#event?.close();
    this.#event = socketEvent(this.#host, fd);
    this.#event.data = this;
    this.#event.writeQueue = CONNECT_QUEUE;
    this.#peer = peer;
  }

  awaitConnected(): void {
    this.#event?.enable();
    this.#event?.blockRead();
  }

  /** Reading is blocked until it is connected. */
  canRead(): void {}

  canWrite(): void {
    const event = this.#event;
    if (event === null) return;
    // Only ERR or HUP beside OUT means that connecting can have failed.
    if (isTroubled(event)) {
      const errno = pendingError(this.#host.parts.calls, event.fd);
      if (errno !== 0) return this.#attemptFailed(event, errno);
    }
    event.writeQueue = WRITE_QUEUE;
    this.#end();
    this.#settling.resolve(this.#take(event));
    this.#presence.closed();
  }

  hungUp(error: SystemError | null): void {
    const event = this.#event;
    if (error !== null || event === null) {
      return this.#fail(error ?? this.#abandoned());
    }
    const errno = pendingError(this.#host.parts.calls, event.fd);
    this.#attemptFailed(event, errno === 0 ? EBADF : errno);
  }

  connectFailed(error: unknown): void {
    this.#fail(error);
  }

  /** By the signal, or because the engine has been closed. */
  close(): void {
    this.#fail(this.#signal?.aborted ? this.#signal.reason : this.#abandoned());
  }

  #abandoned(): SystemError {
    return new SystemError("connect", EBADF);
  }

  #attemptFailed(event: FdEvent, errno: number): void {
    const about = { fd: event.fd, address: this.#peer };
    this.connector?.failed(new SystemError("connect", errno, about));
  }

  #fail(reason: unknown): void {
    if (this.#settled) return;
    this.#end();
    this.#event?.close();
    this.#settling.reject(reason);
    this.#presence.closed();
  }

  #end(): void {
    this.#settled = true;
    this.connector?.stop();
    this.connector = null;
    this.#presence.ended();
  }
}
