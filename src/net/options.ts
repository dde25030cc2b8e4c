/**
 * Options and handlers of listeners and connections.
 *
 * @module
 */

import type { SystemError } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import type { TimeoutKind } from "./activity.ts";
import type { Connection } from "./connection.ts";
import type { ExhaustedPolicy } from "./exhaustion.ts";

/**
 * What to call for a connection. Handlers are called with the connection and
 * never at the same time as another handler of the engine.
 */
export interface ConnectionHandlers {
  /** The connection is established. Never called if connecting failed. */
  open?(connection: Connection): void;
  /**
   * Bytes arrived. `chunk` is a view into a buffer that is used again: valid
   * until the handler returns.
   */
  data?(connection: Connection, chunk: Uint8Array): void;
  /** All that was buffered has been handed to the kernel: offer the rest now. */
  drain?(connection: Connection): void;
  /**
   * The peer will send no more. Writing is still possible; call `end()` or
   * `close()` when done. Without this handler the connection closes once its
   * writes are flushed.
   */
  end?(connection: Connection): void;
  /**
   * A timeout of {@linkcode Connection.timeout} has passed. The connection goes
   * on, and the timeout starts over. Without this handler the connection fails
   * with `ETIMEDOUT` and is reset.
   */
  timeout?(connection: Connection, kind: TimeoutKind): void;
  /** Called exactly once, as the last handler of the connection. */
  close?(connection: Connection): void;
  /** The connection failed; called at most once. `close` follows. */
  error?(connection: Connection, error: SystemError): void;
}

/** What a connection may be told, whichever way it was made. */
export interface AdoptOptions {
  /** Bytes that the connection buffers for a slow reader. @default {262144} */
  bufferMax?: number;
  /**
   * Whether what handlers write in one round of the loop goes out together, with
   * one system call, after the read handlers of that round: for answers that are
   * written in small pieces, or come from several other connections. What is
   * written is copied first, and counts as buffered until then; `drain` follows.
   * Writes of more than 16 KiB, or than `bufferMax`, go out at once, as all do
   * without this. @default {false}
   */
  mergeWrites?: boolean;
}

/** Where and how to listen. */
export interface ListenOptions extends AdoptOptions {
  /** An IPv4 or IPv6 address in text form. @default {"127.0.0.1"} */
  hostname?: string;
  /** A port from 0 to 65535; 0 picks a free one. @default {0} */
  port?: number;
  /**
   * Listens on a unix socket instead: a path, or an abstract name after a
   * leading `\0`. A socket file that is there and refuses connections, left by a
   * server that ended, is replaced; anything else there is `EADDRINUSE`. The file
   * is removed when the listener closes, unless another has taken its place.
   */
  path?: string;
  /**
   * Takes over a listening socket, such as one of
   * {@linkcode inheritedListeners}: it is closed with the listener.
   */
  fd?: number;
  /** Connections that the kernel holds until they are accepted. @default {511} */
  backlog?: number;
  /**
   * Lets a port be bound though connections of an earlier listener remain
   * (SO_REUSEADDR). @default {true}
   */
  reuseAddress?: boolean;
  /** Lets several sockets share the port (SO_REUSEPORT). @default {false} */
  reusePort?: boolean;
  /**
   * Registers with EPOLLEXCLUSIVE, so that one connection wakes few of the
   * engines that wait on the same socket. The entry is made anew after every 16
   * accepts, which evens the load. Which engine accepts is not promised.
   * @default {true}
   */
  exclusive?: boolean;
  /**
   * Seconds that the kernel waits for a client's first bytes before it hands the
   * connection over (TCP_DEFER_ACCEPT); true for 1. @default {0}
   */
  deferAccept?: boolean | number;
  /**
   * Whether an IPv6 address such as `"::"` takes IPv6 alone, or IPv4 as well
   * (IPV6_V6ONLY). By default as the system says: usually both.
   */
  ipv6Only?: boolean;
  /**
   * Connections accepted for one event, one at a time, so that other work comes
   * in between. @default {64}
   */
  acceptBatch?: number;
  /**
   * Open connections of this listener. At the limit it stops accepting until
   * one closes. @default {Infinity}
   */
  connectionsMax?: number;
  /**
   * What to do with clients when the process or the system is out of descriptors
   * or memory. The engine's `onError` is told once, and again only after the
   * backlog has been empty. @default {"wait"}
   */
  onExhausted?: ExhaustedPolicy;
}

/** Where to connect. */
export interface ConnectOptions extends AdoptOptions {
  /**
   * An IPv4 or IPv6 address in text form, or the name of a host. A name is looked
   * up by a worker, as the system does it, and its addresses are tried in turn.
   * @default {"127.0.0.1"}
   */
  hostname?: string;
  /** A port from 1 to 65535. */
  port?: number;
  /** Connects to a unix socket instead: a path, or an abstract name after `\0`. */
  path?: string;
  /**
   * How long connecting may take, in milliseconds, the lookup of a name included;
   * then it fails with `ETIMEDOUT`. Several addresses share the time. By default
   * the kernel gives up after some two minutes.
   */
  timeoutMs?: number;
  /**
   * Closes the connection, as {@linkcode Connection.close} does, when it is aborted
   * before `open`.
   */
  signal?: AbortSignal;
}

/** What the connections of one listener, or of one call, share. */
export interface ConnectionParts {
  readonly parts: EngineParts;
  readonly handlers: ConnectionHandlers;
  /** Bytes buffered for a slow reader. */
  readonly bufferMax: number;
  /** Writes of so many bytes, at the most, go out together; 0 for none. */
  readonly mergedMax: number;
  /** Whether one read takes all there is, buffer permitting: TCP. */
  readonly readsWhole: boolean;
  /** Whether somebody asks which connections are idle. */
  readonly notesActivity?: boolean;
  /** Told when a connection has closed. */
  closed?(connection: Connection): void;
}

/** The default of `bufferMax`. */
const BUFFER_MAX: number = 256 * 1024;

/** Longer writes go out at once: copying them would cost what the call does. */
const MERGED_BYTES_MAX = 16 * 1024;

/** Throws a RangeError unless `value` is an integer in the range. */
export function checkInteger(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `Cannot use ${name}: it must be an integer from ${min} to ${max}, and is ${value}`,
    );
  }
}

/** The names of the handlers of a connection. */
export const CONNECTION_HANDLERS = [
  "open",
  "data",
  "drain",
  "end",
  "timeout",
  "close",
  "error",
] as const satisfies readonly (keyof ConnectionHandlers)[];

/** Those handlers that there are, as functions that need no `this`. */
export function boundHandlers(
  handlers: ConnectionHandlers,
): ConnectionHandlers {
  const bound = CONNECTION_HANDLERS.filter((name) =>
    handlers[name] !== undefined
  )
    .map((name) => [name, handlers[name]?.bind(handlers)]);
  return Object.fromEntries(bound);
}

/**
 * Throws a TypeError unless options and handlers, of these names, are what they
 * are to be.
 */
export function checkArguments<Name extends string>(
  method: string,
  options: unknown,
  handlers: { readonly [name in Name]?: unknown },
  names: readonly Name[],
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${method}: the options must be an object, and are ${options}`,
    );
  }
  if (typeof handlers !== "object" || handlers === null) {
    throw new TypeError(
      `Cannot ${method}: the handlers must be an object, and are ${handlers}`,
    );
  }
  for (const name of names) {
    const handler = handlers[name];
    if (handler !== undefined && typeof handler !== "function") {
      throw new TypeError(
        `Cannot ${method}: the handler ${name} must be a function, and is ${handler}`,
      );
    }
  }
}

/** Throws for a listener's options, but for where it is to be, that make no sense. */
export function checkListenOptions(
  options: ListenOptions,
  handlers: ConnectionHandlers,
): void {
  checkArguments("listen", options, handlers, CONNECTION_HANDLERS);
  const { acceptBatch = 1, connectionsMax = Infinity } = options;
  checkInteger("acceptBatch", acceptBatch, 1, 0x7fffffff);
  if (connectionsMax !== Infinity) {
    checkInteger("connectionsMax", connectionsMax, 1, 0x7fffffff);
  }
}

/** What is to be told to each connection, with defaults. Throws a RangeError. */
export function connectionOptions(
  options: AdoptOptions,
): Pick<ConnectionParts, "bufferMax" | "mergedMax"> {
  const { bufferMax = BUFFER_MAX, mergeWrites = false } = options;
  checkInteger("bufferMax", bufferMax, 0, 0x7fffffff);
  const mergedMax = mergeWrites ? Math.min(MERGED_BYTES_MAX, bufferMax) : 0;
  return { bufferMax, mergedMax };
}

/** Throws a TypeError unless `value` is a string. */
export function checkString(name: string, value: string): void {
  if (typeof value !== "string") {
    throw new TypeError(
      `Cannot use ${name}: it must be a string, and is ${value}`,
    );
  }
}

/** Throws a TypeError unless `bytes` is a Uint8Array. */
export function checkBytes(verb: string, bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(
    `Cannot ${verb}: it must be a Uint8Array, and is ${kindOf(bytes)}`,
  );
}

/** What a value is, for those who took it for something else. */
export function kindOf(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    return `a value of class ${value.constructor?.name ?? "null"}`;
  }
  return typeof value === "string" ? "a string" : `${String(value)}`;
}
