/** What all simulated sockets have: names, options, a pending error. */
import {
  EAFNOSUPPORT,
  EINVAL,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
} from "../../ffi/errno_codes.ts";
import {
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDBAND,
  EPOLLRDNORM,
  EPOLLWRBAND,
  EPOLLWRNORM,
} from "../../ffi/constants.ts";
import * as c from "../../ffi/constants_socket.ts";
import { encodeAddress, type SocketAddress } from "../../ffi/sockaddr.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import type { Network } from "./network.ts";
import { OpenFile, SimulationError } from "./open_file.ts";

/** The keys of the kernel's wake-ups. */
export const DATA_KEY = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND;
export const ROOM_KEY = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
/** The longest backlog that listen(2) gives. */
export const BACKLOG_MAX = 4_096;

/** The bits of sk_shutdown. */
export const SHUT_RECEIVE = 1;
export const SHUT_SEND = 2;
export const SHUT_BOTH = 3;

/** Options that are kept and change nothing here. */
const INERT: Record<number, ReadonlySet<number>> = {
  [c.SOL_SOCKET]: new Set([
    c.SO_REUSEADDR,
    c.SO_KEEPALIVE,
    c.SO_PRIORITY,
    c.SO_BROADCAST,
  ]),
  [c.IPPROTO_TCP]: new Set([
    c.TCP_NODELAY,
    c.TCP_KEEPIDLE,
    c.TCP_KEEPINTVL,
    c.TCP_KEEPCNT,
    c.TCP_USER_TIMEOUT,
    c.TCP_QUICKACK,
  ]),
};

/** Buffers as the kernel has them until it is told otherwise. */
const BUFFER_DEFAULT = 212_992;
const BUFFER_MIN = 4_608;

/** A socket. */
export abstract class Socket extends OpenFile {
  readonly network: Network;
  readonly family: number;
  readonly type: number;
  local: SocketAddress;
  remote: SocketAddress | null = null;
  bound = false;
  /** The error that is told once, by the next call or by SO_ERROR. */
  error = 0;
  shut = 0;
  reusesPort = false;
  sendMax = BUFFER_DEFAULT;
  receiveMax = BUFFER_DEFAULT;
  #linger = new Int32Array(2);
  readonly #inert = new Map<string, number>();

  constructor(
    network: Network,
    family: number,
    type: number,
    nonblocking: boolean,
  ) {
    super(nonblocking);
    this.network = network;
    this.family = family;
    this.type = type;
    this.local = unboundAddress(family);
  }

  abstract listening: boolean;
  abstract connect(address: SocketAddress): number;
  abstract recv(buffer: Bytes, flags: number): number;
  abstract send(bytes: Bytes, flags: number): number;
  abstract shutdown(how: number): number;

  listen(_backlog: number): number {
    return -EOPNOTSUPP;
  }

  /** The next connection, not nonblocking yet. */
  accept(): Socket | number {
    return -EOPNOTSUPP;
  }

  override read(buffer: Bytes): number {
    return this.recv(buffer, 0);
  }

  override write(bytes: Bytes): number {
    return this.send(bytes, 0);
  }

  /** Whether closing sends an RST. */
  get lingersNot(): boolean {
    return this.#linger[0] !== 0 && this.#linger[1] === 0;
  }

  bind(address: SocketAddress): number {
    if (this.bound) return -EINVAL;
    if (familyOf(address) !== this.family) return -EAFNOSUPPORT;
    const local = this.network.bind(this, address);
    if (typeof local === "number") return local;
    this.local = local;
    this.bound = true;
    return 0;
  }

  override release(): void {
    if (this.bound) this.network.unbind(this);
    this.bound = false;
  }

  /** The pending error, forgotten from here on. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  getsockname(bytes: Bytes): number {
    return fill(bytes, this.local);
  }

  getpeername(bytes: Bytes): number {
    return this.remote === null ? -ENOTCONN : fill(bytes, this.remote);
  }

  getsockopt(level: number, name: number, value: Bytes): number {
    if (level === c.SOL_SOCKET && name === c.SO_LINGER) {
      return copy(value, new Uint8Array(this.#linger.slice().buffer));
    }
    const word = this.#option(level, name);
    if (word < 0) return word;
    return copy(value, new Uint8Array(Int32Array.of(word).buffer));
  }

  setsockopt(level: number, name: number, value: Bytes): number {
    if (value.length < 4) return -EINVAL;
    const words = new Int32Array(new Uint8Array(value).slice(0, 8).buffer);
    if (level !== c.SOL_SOCKET) return this.#setInert(level, name, words[0]);
    switch (name) {
      case c.SO_LINGER:
        if (words.length < 2) return -EINVAL;
        this.#linger = words;
        return 0;
      case c.SO_SNDBUF:
        this.sendMax = bufferSize(words[0]);
        return 0;
      case c.SO_RCVBUF:
        this.receiveMax = bufferSize(words[0]);
        return 0;
      case c.SO_REUSEPORT:
        this.reusesPort = words[0] !== 0;
        return 0;
      default:
        return this.#setInert(level, name, words[0]);
    }
  }

  #option(level: number, name: number): number {
    if (level !== c.SOL_SOCKET) return this.#getInert(level, name);
    switch (name) {
      case c.SO_ERROR:
        return this.takeError();
      case c.SO_TYPE:
        return this.type;
      case c.SO_DOMAIN:
        return this.family;
      case c.SO_ACCEPTCONN:
        return Number(this.listening);
      case c.SO_SNDBUF:
        return this.sendMax;
      case c.SO_RCVBUF:
        return this.receiveMax;
      case c.SO_REUSEPORT:
        return Number(this.reusesPort);
      default:
        return this.#getInert(level, name);
    }
  }

  #setInert(level: number, name: number, value: number): number {
    const known = this.#getInert(level, name);
    if (known < 0) return known;
    this.#inert.set(`${level} ${name}`, value);
    return 0;
  }

  #getInert(level: number, name: number): number {
    const isTcp = this.family !== c.AF_UNIX && this.type === c.SOCK_STREAM;
    if (level === c.IPPROTO_TCP && !isTcp) {
      return this.family === c.AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
    }
    if (INERT[level]?.has(name)) {
      return this.#inert.get(`${level} ${name}`) ?? 0;
    }
    throw new SimulationError(`Option ${name} of ${level} is not simulated`);
  }
}

/** The AF_ constant of an address. */
export function familyOf(address: SocketAddress): number {
  if (address.family === "ipv4") return c.AF_INET;
  return address.family === "ipv6" ? c.AF_INET6 : c.AF_UNIX;
}

/** The address of a socket that is not bound. */
function unboundAddress(family: number): SocketAddress {
  if (family === c.AF_UNIX) return { family: "unix-unnamed" };
  return family === c.AF_INET
    ? { family: "ipv4", host: "0.0.0.0", port: 0 }
    : { family: "ipv6", host: "::", port: 0 };
}

function bufferSize(asked: number): number {
  return Math.max(BUFFER_MIN, 2 * Math.min(asked, BUFFER_DEFAULT));
}

function fill(bytes: Bytes, address: SocketAddress): number {
  const encoded = encodeAddress(address);
  copy(bytes, encoded);
  return encoded.length;
}

function copy(to: Bytes, from: Bytes): number {
  const part = from.subarray(0, to.length);
  to.set(part);
  return part.length;
}
