/**
 * The options of sockets, by the kernel's names, each with the type of its value.
 *
 * @module
 */

import {
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SO_BROADCAST,
  SO_INCOMING_CPU,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOL_SOCKET,
  SystemError,
  TCP_CONGESTION,
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_FASTOPEN,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYNCNT,
  TCP_USER_TIMEOUT,
} from "../../ffi/mod.ts";
import type { Bytes, SystemCalls } from "../../ffi/mod.ts";

/**
 * Options of sockets and the types of their values: see socket(7), tcp(7), ip(7)
 * and ipv6(7). The kernel doubles the sizes of buffers that it is given.
 */
export interface SocketOptions {
  /** Whether the kernel probes an idle peer. */
  SO_KEEPALIVE: boolean;
  /** Bytes of the kernel's receive buffer. Set, the kernel stops tuning it. */
  SO_RCVBUF: number;
  /** Bytes of the kernel's send buffer. Set, the kernel stops tuning it. */
  SO_SNDBUF: number;
  /** Bytes that make the socket readable. */
  SO_RCVLOWAT: number;
  /**
   * Seconds that unsent data is kept for on closing, 0 to discard it and reset
   * the connection; null, the default, to send it in the background.
   */
  SO_LINGER: number | null;
  /** Whether an address in TIME_WAIT can be bound. */
  SO_REUSEADDR: boolean;
  /** Whether sockets share a port. Linux 3.9. */
  SO_REUSEPORT: boolean;
  /** Whether datagrams may go to a broadcast address. */
  SO_BROADCAST: boolean;
  /** Whether urgent data stays in the stream. */
  SO_OOBINLINE: boolean;
  /** The priority of packets sent, 0 to 6; above with CAP_NET_ADMIN. */
  SO_PRIORITY: number;
  /** The mark of packets sent, with CAP_NET_ADMIN. */
  SO_MARK: number;
  /** The CPU that packets arrive at. Linux 3.19. */
  SO_INCOMING_CPU: number;
  /** Whether small segments go out at once. */
  TCP_NODELAY: boolean;
  /** Whether partial segments are held back, for 200 ms at the most. */
  TCP_CORK: boolean;
  /** Whether acknowledgements go out at once, until the kernel decides again. */
  TCP_QUICKACK: boolean;
  /** Seconds idle before the first probe of SO_KEEPALIVE. */
  TCP_KEEPIDLE: number;
  /** Seconds between probes. */
  TCP_KEEPINTVL: number;
  /** Probes without an answer before the connection fails with ETIMEDOUT. */
  TCP_KEEPCNT: number;
  /** Milliseconds that sent data may stay unacknowledged; 0 for the system's. */
  TCP_USER_TIMEOUT: number;
  /** Bytes not sent yet below which the socket is writable. Linux 3.12. */
  TCP_NOTSENT_LOWAT: number;
  /** The largest segment, in bytes. */
  TCP_MAXSEG: number;
  /** SYNs sent before connecting is given up. */
  TCP_SYNCNT: number;
  /** Seconds in FIN_WAIT2 once the socket is closed. */
  TCP_LINGER2: number;
  /** Of a listener: seconds to wait for data before accepting. */
  TCP_DEFER_ACCEPT: number;
  /** Of a listener: connections whose data comes with the SYN. Linux 3.7. */
  TCP_FASTOPEN: number;
  /** The name of the congestion algorithm. */
  TCP_CONGESTION: string;
  /** Type of service of IPv4 packets. */
  IP_TOS: number;
  /** Time to live of IPv4 packets. */
  IP_TTL: number;
  /** Traffic class of IPv6 packets. */
  IPV6_TCLASS: number;
  /** Hop limit of IPv6 packets. */
  IPV6_UNICAST_HOPS: number;
  /** Whether an IPv6 socket refuses IPv4. */
  IPV6_V6ONLY: boolean;
}

/** The name of a socket option. */
export type SocketOptionName = keyof SocketOptions;

/** How a value travels: an int as a boolean or a number, `struct linger`, text. */
type Shape = "flag" | "integer" | "linger" | "text";

interface Option {
  readonly level: number;
  readonly name: number;
  readonly shape: Shape;
}

const OPTIONS: Readonly<Record<SocketOptionName, Option>> = {
  SO_KEEPALIVE: entry(SOL_SOCKET, SO_KEEPALIVE, "flag"),
  SO_RCVBUF: entry(SOL_SOCKET, SO_RCVBUF, "integer"),
  SO_SNDBUF: entry(SOL_SOCKET, SO_SNDBUF, "integer"),
  SO_RCVLOWAT: entry(SOL_SOCKET, SO_RCVLOWAT, "integer"),
  SO_LINGER: entry(SOL_SOCKET, SO_LINGER, "linger"),
  SO_REUSEADDR: entry(SOL_SOCKET, SO_REUSEADDR, "flag"),
  SO_REUSEPORT: entry(SOL_SOCKET, SO_REUSEPORT, "flag"),
  SO_BROADCAST: entry(SOL_SOCKET, SO_BROADCAST, "flag"),
  SO_OOBINLINE: entry(SOL_SOCKET, SO_OOBINLINE, "flag"),
  SO_PRIORITY: entry(SOL_SOCKET, SO_PRIORITY, "integer"),
  SO_MARK: entry(SOL_SOCKET, SO_MARK, "integer"),
  SO_INCOMING_CPU: entry(SOL_SOCKET, SO_INCOMING_CPU, "integer"),
  TCP_NODELAY: entry(IPPROTO_TCP, TCP_NODELAY, "flag"),
  TCP_CORK: entry(IPPROTO_TCP, TCP_CORK, "flag"),
  TCP_QUICKACK: entry(IPPROTO_TCP, TCP_QUICKACK, "flag"),
  TCP_KEEPIDLE: entry(IPPROTO_TCP, TCP_KEEPIDLE, "integer"),
  TCP_KEEPINTVL: entry(IPPROTO_TCP, TCP_KEEPINTVL, "integer"),
  TCP_KEEPCNT: entry(IPPROTO_TCP, TCP_KEEPCNT, "integer"),
  TCP_USER_TIMEOUT: entry(IPPROTO_TCP, TCP_USER_TIMEOUT, "integer"),
  TCP_NOTSENT_LOWAT: entry(IPPROTO_TCP, TCP_NOTSENT_LOWAT, "integer"),
  TCP_MAXSEG: entry(IPPROTO_TCP, TCP_MAXSEG, "integer"),
  TCP_SYNCNT: entry(IPPROTO_TCP, TCP_SYNCNT, "integer"),
  TCP_LINGER2: entry(IPPROTO_TCP, TCP_LINGER2, "integer"),
  TCP_DEFER_ACCEPT: entry(IPPROTO_TCP, TCP_DEFER_ACCEPT, "integer"),
  TCP_FASTOPEN: entry(IPPROTO_TCP, TCP_FASTOPEN, "integer"),
  TCP_CONGESTION: entry(IPPROTO_TCP, TCP_CONGESTION, "text"),
  IP_TOS: entry(IPPROTO_IP, IP_TOS, "integer"),
  IP_TTL: entry(IPPROTO_IP, IP_TTL, "integer"),
  IPV6_TCLASS: entry(IPPROTO_IPV6, IPV6_TCLASS, "integer"),
  IPV6_UNICAST_HOPS: entry(IPPROTO_IPV6, IPV6_UNICAST_HOPS, "integer"),
  IPV6_V6ONLY: entry(IPPROTO_IPV6, IPV6_V6ONLY, "flag"),
};

/** TCP_CA_NAME_MAX. */
const TEXT_BYTES_MAX = 16;

/** getsockopt(2). Throws SystemError for what the kernel refuses. */
export function getSocketOption<K extends SocketOptionName>(
  calls: SystemCalls,
  fd: number,
  option: K,
): SocketOptions[K] {
  const { level, name, shape } = find(option);
  const value = new Uint8Array(TEXT_BYTES_MAX);
  const result = calls.getsockopt(fd, level, name, value);
  if (result < 0) {
    throw new SystemError(`getsockopt(${option})`, result, { fd });
  }
  return decoded(shape, value, result) as SocketOptions[K];
}

/** setsockopt(2). Throws SystemError for what the kernel refuses. */
export function setSocketOption<K extends SocketOptionName>(
  calls: SystemCalls,
  fd: number,
  option: K,
  value: SocketOptions[K],
): void {
  const { level, name, shape } = find(option);
  const bytes = encoded(option, shape, value);
  const result = calls.setsockopt(fd, level, name, bytes);
  if (result < 0) {
    throw new SystemError(`setsockopt(${option})`, result, { fd });
  }
}

function entry(level: number, name: number, shape: Shape): Option {
  return { level, name, shape };
}

function find(option: SocketOptionName): Option {
  if (Object.hasOwn(OPTIONS, option)) return OPTIONS[option];
  throw new TypeError(
    `Cannot use the socket option ${option}: it is not known`,
  );
}

function decoded(
  shape: Shape,
  value: Uint8Array,
  length: number,
): boolean | number | string | null {
  const words = new Int32Array(value.buffer);
  switch (shape) {
    case "flag":
      return words[0] !== 0;
    case "integer":
      return words[0];
    case "linger":
      return words[0] === 0 ? null : words[1];
    case "text": {
      const text = value.subarray(0, length);
      const end = text.indexOf(0);
      return new TextDecoder().decode(end < 0 ? text : text.subarray(0, end));
    }
  }
}

function encoded(
  option: SocketOptionName,
  shape: Shape,
  value: boolean | number | string | null,
): Bytes {
  if (shape === "flag" && typeof value === "boolean") {
    return integer(Number(value));
  }
  if (shape === "integer" && isInt32(value)) return integer(value);
  if (shape === "linger" && value === null) return linger(0, 0);
  if (shape === "linger" && isInt32(value)) return linger(1, value);
  if (shape === "text" && typeof value === "string") {
    return new TextEncoder().encode(value);
  }
  throw new TypeError(
    `Cannot set ${option}: its value is a ${shape}, and not ${value}`,
  );
}

function isInt32(value: unknown): value is number {
  return typeof value === "number" && (value | 0) === value;
}

/** What setsockopt(2) reads, made once: servers set options for each connection. */
const words = new Int32Array(2);
const firstWord = new Uint8Array(words.buffer, 0, 4);
const bothWords = new Uint8Array(words.buffer);

function integer(value: number): Bytes {
  words[0] = value;
  return firstWord;
}

function linger(enabled: number, seconds: number): Bytes {
  words[0] = enabled;
  words[1] = seconds;
  return bothWords;
}
