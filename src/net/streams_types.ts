/**
 * The interfaces of streams: those of `Deno.Listener` and `Deno.Conn`, and what
 * is more.
 *
 * @module
 */

import type { Engine } from "../engine.ts";

/** Where a TCP socket is. */
export interface NetAddr {
  /** Always `"tcp"` here. */
  transport: "tcp";
  /** An IPv4 or IPv6 address as text. */
  hostname: string;
  /** The port. */
  port: number;
}

/** Where a unix socket is. */
export interface UnixAddr {
  /** Always `"unix"` here. */
  transport: "unix";
  /** A path, an abstract name after `\0`, or `""` where the socket has none. */
  path: string;
}

/** An address of either kind. */
export type Addr = NetAddr | UnixAddr;

/** For whatever waits. */
export interface WaitOptions {
  /** Ends the wait with the signal's reason. Nothing is lost by that. */
  signal?: AbortSignal;
}

/** What can be kept from holding the process alive. */
export interface Referable {
  /** Keeps the process alive while an operation waits, as it is by default. */
  ref(): void;
  /**
   * Lets the process end though operations wait. While nothing else waits on the
   * thread's shared engine, what they wait for is looked for every 2 ms.
   */
  unref(): void;
}

/**
 * A stream connection, with the interface of `Deno.Conn`. After `close()` what is
 * asked of it rejects with `BadResource`.
 */
export interface Conn<A extends Addr = Addr>
  extends Referable, Disposable, AsyncDisposable {
  /** The local address. */
  readonly localAddr: A;
  /** The peer's address. */
  readonly remoteAddr: A;
  /**
   * Reads what is there into `p`, one byte at the least, or waits for something.
   * Reads that are made meanwhile wait for their turn. Nothing is read ahead: a
   * peer that nobody reads from has to wait.
   *
   * @returns The bytes read, or null at the end.
   */
  read(p: Uint8Array, options?: WaitOptions): Promise<number | null>;
  /**
   * Hands bytes of `p` to the kernel, as many as it takes, or waits until it
   * takes one. Nothing is buffered: leave `p` as it is until then. Writes that
   * are made meanwhile wait for their turn.
   *
   * @returns The bytes taken, from 1 on; offer the rest again.
   */
  write(p: Uint8Array, options?: WaitOptions): Promise<number>;
  /** Ends the sending side, after the writes that wait (shutdown(2)). */
  closeWrite(): Promise<void>;
  /**
   * Closes the connection at once. What waits rejects with `Interrupted`. Closing
   * again does nothing, other than in Deno, where it throws.
   */
  close(): void;
  /**
   * What arrives, as a stream of bytes that is read when somebody pulls. Its end
   * closes the connection, unless `allowHalfOpen` was asked for; cancelling it
   * always does.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * What is written to it is sent; a write is done when the kernel has taken all
   * of it. Closing it closes the connection, unless `allowHalfOpen` was asked for;
   * aborting it always does.
   */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
}

/** A TCP connection, with the interface of `Deno.TcpConn`. */
export interface TcpConn extends Conn<NetAddr> {
  /** Whether small writes go out at once (TCP_NODELAY). */
  setNoDelay(noDelay?: boolean): void;
  /** Whether the kernel probes an idle peer (SO_KEEPALIVE). */
  setKeepAlive(keepAlive?: boolean): void;
}

/** A connection of a unix socket, with the interface of `Deno.UnixConn`. */
export type UnixConn = Conn<UnixAddr>;

/** A listener, with the interface of `Deno.Listener`. */
export interface Listener<T extends Conn = Conn, A extends Addr = Addr>
  extends Referable, AsyncIterable<T>, Disposable, AsyncDisposable {
  /** The address that it is bound to. */
  readonly addr: A;
  /**
   * Takes the next connection from the kernel's backlog, or waits for one. Calls
   * that are made meanwhile wait for their turn; Deno throws `Busy` at them.
   */
  accept(options?: WaitOptions): Promise<T>;
  /**
   * Stops listening. What waits rejects with `BadResource`, and iterations end.
   * Closing again does nothing.
   */
  close(): void;
  /** Iterates over connections until the listener is closed; leaving closes it. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
}

/** A TCP listener, with the interface of `Deno.TcpListener`. */
export type TcpListener = Listener<TcpConn, NetAddr>;

/** A listener of unix sockets, with the interface of `Deno.UnixListener`. */
export type UnixListener = Listener<UnixConn, UnixAddr>;

/** What both `listen()` and `connect()` take. */
export interface StreamOptions {
  /**
   * The engine to use, which somebody runs beside the runtime's own loop, by
   * `start()` or by `turn()`: promises stand still in `run()`. What keeps the
   * process alive is then that engine's affair, and `unref()` does nothing. By
   * default all streams of a thread share an engine that runs when it has to.
   */
  engine?: Engine;
  /**
   * Whether the end of `readable` leaves `writable` open, and the other way
   * round; the connection closes after both. Deno closes it after one.
   * @default {false}
   */
  allowHalfOpen?: boolean;
}

/** Where to listen for TCP connections. */
export interface TcpListenOptions extends StreamOptions {
  /** Optional for TCP. */
  transport?: "tcp";
  /**
   * An address, or a name: its first address. Looking up a name holds up the
   * thread.
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /** From 0 to 65535; 0 picks a free one. @default {0} */
  port?: number;
  /** Connections that the kernel holds until they are accepted. @default {511} */
  tcpBacklog?: number;
  /** Lets several sockets share the port (SO_REUSEPORT). @default {false} */
  reusePort?: boolean;
}

/** Where to listen for connections of unix sockets. */
export interface UnixListenOptions extends StreamOptions {
  /** Says that it is a unix socket. */
  transport: "unix";
  /**
   * A path, or an abstract name after `\0`. The file is removed when the listener
   * closes; one that a server which has ended left there is replaced.
   */
  path: string;
}

/** How connecting may end before it is done. */
export interface ConnectLimitOptions extends StreamOptions {
  /** Gives up with its reason. It has no effect once connected. */
  signal?: AbortSignal;
  /**
   * How long connecting may take, in milliseconds; then it rejects with
   * `TimedOut`. By default the kernel gives up after some two minutes.
   */
  timeoutMs?: number;
}

/** Where to connect by TCP. */
export interface TcpConnectOptions extends ConnectLimitOptions {
  /** Optional for TCP. */
  transport?: "tcp";
  /** An address, or a name, whose addresses are tried in turn. @default {"127.0.0.1"} */
  hostname?: string;
  /** From 1 to 65535. */
  port: number;
}

/** Which unix socket to connect to. */
export interface UnixConnectOptions extends ConnectLimitOptions {
  /** Says that it is a unix socket. */
  transport: "unix";
  /** A path, or an abstract name after `\0`. */
  path: string;
}
