/**
 * Making datagram sockets: bound, connected, with their options and handlers.
 *
 * @module
 */

import {
  check,
  encodeAddress,
  SO_TYPE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  type SocketAddress,
  SOL_SOCKET,
  type SystemCalls,
  type SystemError,
} from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import type { Datagram } from "./datagram.ts";
import { ADDRESS_BYTES, type DatagramPeer } from "./datagram_socket.ts";
import { checkArguments, checkInteger, kindOf } from "./options.ts";
import { addressText, adoptedSocket, endpointAddress } from "./socket.ts";
import { setSocketOption } from "./socket_options.ts";
import { bindPath, SocketFile } from "./unix_path.ts";

/**
 * What to call for a datagram socket. Handlers are never called at the same
 * time as another handler of the engine, nor inside a verb.
 */
export interface DatagramHandlers {
  /**
   * A datagram arrived; it may be empty.
   *
   * @param chunk Its bytes, a view into memory that is used again: valid until
   * the handler returns.
   * @param from Who sent it, to be handed to {@linkcode Datagram.send}: valid
   * until the handler returns, too. `keep()` makes one that stays.
   * @param length The bytes that it had when it was sent: more than
   * `chunk.length` if it was cut to `messageMax` (MSG_TRUNC).
   */
  data?(
    datagram: Datagram,
    chunk: Uint8Array,
    from: DatagramPeer,
    length: number,
  ): void;
  /** All that was queued has been sent, after `send()` refused something. */
  drain?(datagram: Datagram): void;
  /**
   * A datagram could not be sent, which concerns no other: `EMSGSIZE` for one
   * that is too long, say, with its address. Or the peer of a connected socket
   * can't be reached: `ECONNREFUSED`, once each time that the kernel tells. The
   * socket goes on, unless `close` follows.
   */
  error?(datagram: Datagram, error: SystemError): void;
  /** Called exactly once, as the last handler of the socket. */
  close?(datagram: Datagram): void;
}

/** An end of a datagram socket. */
export interface DatagramEndpoint {
  /** An IPv4 or IPv6 address in text form. @default {"127.0.0.1"} */
  hostname?: string;
  /** A port from 0 to 65535. */
  port?: number;
  /**
   * A unix socket instead: a path, or an abstract name after a leading `\0`. A
   * socket file that is left of a program that has ended is replaced; the one
   * that is made is removed in the end.
   */
  path?: string;
}

/** Where a datagram socket is, what it is connected to, and its limits. */
export interface DatagramOptions extends DatagramEndpoint {
  /**
   * Connects the socket: it sends there where no address is given, and receives
   * from there alone. Without an address of its own the kernel picks one, a name
   * for a unix socket included, so that the peer can answer.
   */
  remote?: DatagramEndpoint;
  /** Takes over a datagram socket: it is closed with this one. */
  fd?: number;
  /**
   * Lets several sockets share the port (SO_REUSEPORT): the kernel spreads
   * senders over them, such as the workers of one server. @default {false}
   */
  reusePort?: boolean;
  /**
   * Lets several sockets of a multicast group share the port (SO_REUSEADDR):
   * each receives everything. @default {false}
   */
  reuseAddress?: boolean;
  /** Whether an IPv6 socket refuses IPv4; the system's default otherwise. */
  ipv6Only?: boolean;
  /** Allows sending to broadcast addresses (SO_BROADCAST). @default {false} */
  broadcast?: boolean;
  /** Bytes that a datagram is received whole with, from 1. @default {65535} */
  messageMax?: number;
  /** Datagrams received in one call, from 1 to 1024. @default {64} */
  batchMax?: number;
  /** Datagrams that wait to be sent, from 1 to 65536. @default {256} */
  queueMax?: number;
  /** Bytes that wait to be sent, addresses included. @default {262144} */
  bufferMax?: number;
  /**
   * Sends neighbours in the queue of one length, up to 1232 bytes, and to one
   * address as segments of one message (UDP_SEGMENT, Linux 4.18): the same
   * datagrams arrive, for much less of the kernel's time. Where the kernel or
   * the network takes no segments, each is sent by itself. @default {true}
   */
  segments?: boolean;
  /** Bytes that the kernel holds until they are read (SO_RCVBUF); it doubles them. */
  receiveBufferBytes?: number;
  /** Bytes that the kernel holds until they are sent (SO_SNDBUF); it doubles them. */
  sendBufferBytes?: number;
}

/** The limits of a datagram socket, all checked. */
export interface DatagramLimits {
  readonly messageMax: number;
  readonly batchMax: number;
  readonly queueMax: number;
  readonly bufferMax: number;
  readonly segments: boolean;
}

/** The memory of a batch; only what datagrams have filled is really taken. */
const BATCH_BYTES_MAX = 0x3fffffff;

const HANDLERS = [
  "data",
  "drain",
  "error",
  "close",
] as const satisfies readonly (keyof DatagramHandlers)[];

/**
 * Takes the limits out of the options. Throws TypeError unless options and
 * handlers are such, and RangeError.
 */
export function datagramLimits(
  options: DatagramOptions,
  handlers: DatagramHandlers,
): DatagramLimits {
  checkArguments("open a datagram socket", options, handlers, HANDLERS);
  const {
    messageMax = 65535,
    batchMax = 64,
    queueMax = 256,
    bufferMax = 256 * 1024,
    segments = true,
  } = options;
  checkInteger("messageMax", messageMax, 1, 0xffffff);
  checkInteger("batchMax", batchMax, 1, 1024);
  checkInteger("queueMax", queueMax, 1, 65536);
  checkInteger("bufferMax", bufferMax, 0, 0x3fffffff);
  if (messageMax * batchMax > BATCH_BYTES_MAX) {
    throw new RangeError(
      `Cannot use batchMax ${batchMax} with messageMax ${messageMax}: a batch would take more than ${BATCH_BYTES_MAX} bytes`,
    );
  }
  return { messageMax, batchMax, queueMax, bufferMax, segments };
}

/** A socket and what is known of it. */
export interface OpenSocket {
  readonly fd: number;
  /** AF_INET, AF_INET6 or AF_UNIX. */
  readonly domain: number;
  readonly connected: boolean;
  /** The file of a unix socket, to be removed in the end. */
  readonly file: SocketFile | null;
}

/** Makes the socket that options ask for. Nothing is left open when it fails. */
export function openDatagram(
  parts: EngineParts,
  options: DatagramOptions,
): OpenSocket {
  if (options.fd !== undefined) return adoptDatagram(parts, options.fd);
  const { calls } = parts;
  const remote = remoteAddress(options);
  const local = ownAddress(options, remote);
  const address = local ?? remote as SocketAddress;
  const domain = encodeAddress(address)[0];
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const about = { address: addressText(address) };
  const fd = check(calls.socket(domain, type, 0), "socket", about);
  let file: SocketFile | null = null;
  try {
    setOptions(calls, fd, options);
    if (local !== null) check(bind(calls, fd, local), "bind", about);
    if (local?.family === "unix") file = new SocketFile(calls, local.path);
    if (remote !== null) {
      const about = { address: addressText(remote) };
      check(calls.connect(fd, encodeAddress(remote)), "connect", about);
    }
  } catch (error) {
    calls.close(fd);
    file?.remove();
    throw error;
  }
  return { fd, domain, connected: remote !== null, file };
}

function bind(calls: SystemCalls, fd: number, address: SocketAddress): number {
  const encoded = encodeAddress(address);
  return address.family === "unix"
    ? bindPath(calls, fd, address.path, encoded)
    : calls.bind(fd, encoded);
}

/** What to connect to; null for nothing. */
function remoteAddress({ remote }: DatagramOptions): SocketAddress | null {
  if (remote === undefined) return null;
  if (typeof remote === "object" && remote !== null) {
    return endpointAddress(remote, 1);
  }
  throw new TypeError(
    `Cannot use remote: it must be an object, and is ${kindOf(remote)}`,
  );
}

/** Where to bind to; null to leave it to connect(2). */
function ownAddress(
  options: DatagramOptions,
  remote: SocketAddress | null,
): SocketAddress | null {
  const { hostname, port, path } = options;
  const given = hostname ?? port ?? path;
  if (remote === null || given !== undefined) {
    return endpointAddress(options, 0);
  }
  // Bound to an address without a name, a unix socket is given one.
  return remote.family.startsWith("unix") ? { family: "unix-unnamed" } : null;
}

function setOptions(
  calls: SystemCalls,
  fd: number,
  options: DatagramOptions,
): void {
  const { reusePort, reuseAddress, ipv6Only, broadcast } = options;
  const flags = [
    ["SO_REUSEPORT", reusePort],
    ["SO_REUSEADDR", reuseAddress],
    ["IPV6_V6ONLY", ipv6Only],
    ["SO_BROADCAST", broadcast],
  ] as const;
  for (const [name, value] of flags) {
    if (value !== undefined) setSocketOption(calls, fd, name, value);
  }
  const { receiveBufferBytes, sendBufferBytes } = options;
  setSize(calls, fd, "SO_RCVBUF", "receiveBufferBytes", receiveBufferBytes);
  setSize(calls, fd, "SO_SNDBUF", "sendBufferBytes", sendBufferBytes);
}

function setSize(
  calls: SystemCalls,
  fd: number,
  option: "SO_RCVBUF" | "SO_SNDBUF",
  name: string,
  bytes: number | undefined,
): void {
  if (bytes === undefined) return;
  checkInteger(name, bytes, 1, 0x3fffffff);
  setSocketOption(calls, fd, option, bytes);
}

function adoptDatagram(parts: EngineParts, fd: number): OpenSocket {
  checkInteger("fd", fd, 0, 0x7fffffff);
  const { calls } = parts;
  const type = new Uint8Array(4);
  const about = { fd };
  check(
    calls.getsockopt(fd, SOL_SOCKET, SO_TYPE, type),
    "getsockopt",
    about,
  );
  if (type[0] !== SOCK_DGRAM) {
    throw new TypeError(
      `Cannot take over descriptor ${fd}: it is not a datagram socket`,
    );
  }
  adoptedSocket(parts, fd);
  const name = new Uint8Array(ADDRESS_BYTES);
  check(calls.getsockname(fd, name), "getsockname", about);
  const connected = calls.getpeername(fd, new Uint8Array(ADDRESS_BYTES)) >= 0;
  return { fd, domain: name[0], connected, file: null };
}
