/**
 * A connection that is read when somebody asks: the interface of `Deno.Conn`
 * over one descriptor of an engine.
 *
 * @module
 */

import {
  asRuntimeError,
  EAGAIN,
  EINTR,
  ENOTCONN,
  MSG_NOSIGNAL,
  runtimeError,
  SHUT_WR,
  SystemError,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { queueRead } from "../interest.ts";
import { readsShort } from "../reported.ts";
import { INACTIVE } from "../states.ts";
import { kindOf } from "./options.ts";
import { setSocketOption } from "./socket_options.ts";
import { localAddr, remoteAddr } from "./streams_address.ts";
import type { StreamHost } from "./streams_host.ts";
import { Operations } from "./streams_operations.ts";
import { StreamResource } from "./streams_resource.ts";
import type {
  Addr,
  Conn,
  NetAddr,
  TcpConn,
  WaitOptions,
} from "./streams_types.ts";
import { type ByteSource, WebStreams } from "./streams_web.ts";

/** What a read gives: a count, or a chunk where no memory was given. */
type Received = number | Uint8Array<ArrayBuffer> | null;

/** How connections of one listener, or of one call, are. */
export interface ConnSettings {
  readonly host: StreamHost;
  readonly allowHalfOpen: boolean;
}

/** A stream connection. */
export class StreamConn<A extends Addr = Addr> extends StreamResource
  implements Conn<A>, ByteSource {
  readonly localAddr: A;
  readonly remoteAddr: A;
  /** Memory to read into; null for a chunk. */
  readonly #reads: Operations<Uint8Array | null, Received>;
  /** Bytes to write; null for the end. */
  readonly #writes: Operations<Uint8Array | null, number>;
  readonly #allowHalfOpen: boolean;
  #streams: WebStreams | null = null;
  /** Bytes of the last chunk. */
  #chunkBytes = 0;

  /**
   * Takes over the event of a connected, nonblocking socket, whose addresses may
   * be known.
   */
  constructor(
    { host, allowHalfOpen }: ConnSettings,
    event: FdEvent,
    local: Addr = localAddr(host.parts.calls, event.fd),
    remote: Addr = remoteAddr(host.parts.calls, event.fd, local),
  ) {
    super(host, event);
    this.localAddr = local as A;
    this.remoteAddr = remote as A;
    this.#allowHalfOpen = allowHalfOpen;
    this.#reads = new Operations(this.presence);
    this.#writes = new Operations(this.presence);
    // Both directions at once: one epoll_ctl for the connection's life.
    event.enable();
    event.blockWrite();
    event.writeReady = true;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#webStreams.readable;
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#webStreams.writable;
  }

  read(p: Uint8Array, options?: WaitOptions): Promise<number | null> {
    if (!(p instanceof Uint8Array)) return refuse("read into", p);
    if (p.byteLength === 0) return Promise.resolve(0);
    return this.#read(p, options?.signal) as Promise<number | null>;
  }

  readChunk(): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#read(null, undefined) as Promise<
      Uint8Array<ArrayBuffer> | null
    >;
  }

  write(p: Uint8Array, options?: WaitOptions): Promise<number> {
    if (!(p instanceof Uint8Array)) return refuse("write", p);
    const refusal = this.#refusal(options?.signal);
    if (refusal !== null) return refusal;
    if (p.byteLength === 0) return Promise.resolve(0);
    return this.#write(p, options?.signal);
  }

  async closeWrite(): Promise<void> {
    await (this.#refusal(undefined) ?? this.#write(null, undefined));
  }

  /** There may be something to read. */
  override canRead(): void {
    while (!this.#reads.empty) {
      const { target } = this.#reads;
      const count = this.#receive(target);
      if (count === -EAGAIN) return;
      if (count < 0) this.#reads.fail(this.#error("recv", count));
      else this.#reads.settle(this.#received(count, target));
    }
  }

  /** There may be room to write. */
  override canWrite(): void {
    while (!this.#writes.empty) {
      const count = this.#send(this.#writes.target);
      if (count === -EAGAIN) return;
      if (count < 0) this.#writes.fail(this.#error("send", count));
      else this.#writes.settle(count);
    }
    this.event.blockWrite();
  }

  override hungUp(error: SystemError | null): void {
    if (error !== null) return this.#failAll(error);
    // The calls themselves tell what has happened.
    this.canRead();
    this.canWrite();
    if (!this.#reads.empty) this.event.enableRead();
    if (!this.#writes.empty) this.event.enableWrite();
  }

  protected override closed(): void {
    if (this.#reads.empty && this.#writes.empty) return;
    this.#failAll(new SystemError("close", EINTR));
  }

  /** Sets an option of the socket. */
  protected setOption(
    option: "TCP_NODELAY" | "SO_KEEPALIVE",
    value: boolean,
  ): void {
    if (this.event.closed) throw closedError();
    setSocketOption(this.host.parts.calls, this.event.fd, option, value);
  }

  get #webStreams(): WebStreams {
    return this.#streams ??= new WebStreams(this, this.#allowHalfOpen);
  }

  /** Why nothing can be asked of it; null where it can. */
  #refusal(signal: AbortSignal | undefined): Promise<never> | null {
    if (this.event.closed) return Promise.reject(closedError());
    return signal?.aborted ? Promise.reject(signal.reason) : null;
  }

  #read(
    target: Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<Received> {
    const refusal = this.#refusal(signal);
    if (refusal !== null) return refusal;
    const event = this.event;
    if (event.readReady && this.#reads.empty) {
      if (this.host.hasTime) {
        const count = this.#receive(target);
        if (count >= 0) {
          this.host.spend(count);
          return Promise.resolve(this.#received(count, target));
        }
        if (count !== -EAGAIN) {
          return Promise.reject(this.#error("recv", count));
        }
      } else queueRead(event);
    }
    // The kernel has dropped it: it failed, or was hung up.
    if (event.readBits === INACTIVE) event.enableRead();
    return this.#reads.add(target, signal);
  }

  #write(
    bytes: Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const event = this.event;
    if (this.#writes.empty) {
      if (event.writeReady && this.host.hasTime) {
        const count = this.#send(bytes);
        if (count >= 0) {
          this.host.spend(count);
          return Promise.resolve(count);
        }
        if (count !== -EAGAIN) {
          return Promise.reject(this.#error("send", count));
        }
      }
      event.enableWrite();
    }
    return this.#writes.add(bytes, signal);
  }

  #failAll(error: SystemError): void {
    const reason = asRuntimeError(error);
    this.#reads.failAll(reason);
    this.#writes.failAll(reason);
  }

  /** Bytes read, 0 at the end, or the negative errno. */
  #receive(target: Uint8Array | null): number {
    const event = this.event;
    const { calls } = this.host.parts;
    const { transport } = this.localAddr;
    const bytes = target ??
      this.host.chunkFrom(event.fd, transport, this.#chunkBytes);
    let count: number;
    do count = calls.recv(event.fd, bytes, 0); while (count === -EINTR);
    // A short read has taken all, unless reads stop early: at the end, at urgent
    // data, or at a unix socket's message with descriptors.
    const drained = count > 0 && count < bytes.byteLength &&
      !readsShort(event) &&
      transport === "tcp";
    if (drained || count === -EAGAIN) event.readReady = false;
    return count;
  }

  #received(count: number, target: Uint8Array | null): Received {
    if (count === 0) return null;
    if (target !== null) return count;
    this.#chunkBytes = count;
    return this.host.takeChunk(count);
  }

  /** Bytes sent, or the negative errno. */
  #send(bytes: Uint8Array | null): number {
    const event = this.event;
    const { calls } = this.host.parts;
    if (bytes === null) {
      const result = calls.shutdown(event.fd, SHUT_WR);
      // The peer has reset the connection: there is nothing left to end.
      return result === -ENOTCONN ? 0 : result;
    }
    let count: number;
    do count = calls.send(event.fd, bytes, MSG_NOSIGNAL); while (
      count === -EINTR
    );
    if (count === -EAGAIN) event.writeReady = false;
    return count;
  }

  #error(syscall: string, errno: number): Error {
    return asRuntimeError(
      new SystemError(syscall, errno, { fd: this.event.fd }),
    );
  }
}

/** A TCP connection. */
export class TcpStreamConn extends StreamConn<NetAddr> implements TcpConn {
  setNoDelay(noDelay = true): void {
    this.setOption("TCP_NODELAY", noDelay);
  }

  setKeepAlive(keepAlive = true): void {
    this.setOption("SO_KEEPALIVE", keepAlive);
  }
}

/** Where no types hold it back, it may be anything. */
function refuse(verb: string, value: unknown): Promise<never> {
  return Promise.reject(
    new TypeError(
      `Cannot ${verb} it: it must be a Uint8Array, and is ${kindOf(value)}`,
    ),
  );
}

function closedError(): Error {
  return runtimeError("BadResource", "The connection has been closed");
}
