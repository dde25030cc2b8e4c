/**
 * Making stream sockets, and what is read from them.
 *
 * @module
 */

import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  type Bytes,
  decodeAddress,
  EINVAL,
  encodeAddress,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SO_ACCEPTCONN,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SocketAddress,
  SOL_SOCKET,
  SystemError,
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { checkInteger } from "./options.ts";

/** Room for any `struct sockaddr_*`. */
const ADDRESS_BYTES_MAX = 128;

const ON: Bytes = new Uint8Array(new Int32Array([1]).buffer);

/** Where a socket is, or is to be. */
export interface Endpoint {
  hostname?: string;
  port?: number;
  path?: string;
}

/** The address that options name. `portMin` is 0 where a port may be picked. */
export function endpointAddress(
  endpoint: Endpoint,
  portMin: number,
): SocketAddress {
  const { hostname = "127.0.0.1", port = 0, path } = endpoint;
  if (path !== undefined) {
    return path.startsWith("\0")
      ? { family: "unix-abstract", name: path.slice(1) }
      : { family: "unix", path };
  }
  checkInteger("port", port, portMin, 65535);
  const family = hostname.includes(":") ? "ipv6" : "ipv4";
  return { family, host: hostname, port };
}

/** Whether an address is of IPv4 or IPv6. */
export function isInternet(address: SocketAddress): boolean {
  return address.family === "ipv4" || address.family === "ipv6";
}

/** An address as an error message shows it. */
export function addressText(address: SocketAddress): string {
  switch (address.family) {
    case "ipv4":
      return `${address.host}:${address.port}`;
    case "ipv6":
      return `[${address.host}]:${address.port}`;
    case "unix":
      return address.path;
    case "unix-abstract":
      return `@${address.name}`;
    default:
      return "unnamed";
  }
}

/** A new stream socket for an address: close-on-exec and nonblocking. */
export function streamSocket(
  calls: SystemCalls,
  address: SocketAddress,
): number {
  const domain = address.family === "ipv4"
    ? AF_INET
    : address.family === "ipv6"
    ? AF_INET6
    : AF_UNIX;
  const fd = calls.socket(
    domain,
    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
    0,
  );
  if (fd < 0) {
    throw new SystemError("socket", -fd, { address: addressText(address) });
  }
  return fd;
}

/** A new listening socket. Nothing is left open when it fails. */
export function listeningSocket(
  calls: SystemCalls,
  address: SocketAddress,
  backlog: number,
  reusePort: boolean,
): number {
  const encoded = encodeAddress(address);
  const fd = streamSocket(calls, address);
  let syscall = "setsockopt";
  let result = isInternet(address)
    ? calls.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON)
    : 0;
  if (result >= 0 && reusePort) {
    result = calls.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ON);
  }
  if (result >= 0) {
    syscall = "bind";
    result = calls.bind(fd, encoded);
  }
  if (result >= 0) {
    syscall = "listen";
    result = calls.listen(fd, backlog);
  }
  if (result >= 0) return fd;
  calls.close(fd);
  throw new SystemError(syscall, -result, { address: addressText(address) });
}

/** Takes over a listening socket that was made elsewhere. */
export function adoptedListener(parts: EngineParts, fd: number): number {
  checkInteger("fd", fd, 0, 0x7fffffff);
  const listens = new Uint8Array(4);
  const { calls } = parts;
  const result = calls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, listens);
  if (result < 0) throw new SystemError("getsockopt", -result, { fd });
  if (listens[0] === 0) throw new SystemError("accept4", EINVAL, { fd });
  return adoptedSocket(parts, fd);
}

/**
 * Takes over a socket that was made elsewhere: nonblocking and close-on-exec
 * from here on.
 */
export function adoptedSocket(parts: EngineParts, fd: number): number {
  checkInteger("fd", fd, 0, 0x7fffffff);
  if (parts.registry.byFd(fd) !== undefined) {
    throw new Error(
      `Cannot take over descriptor ${fd}: it is registered already, and its event is not closed`,
    );
  }
  addFlag(parts.calls, fd, F_GETFL, F_SETFL, O_NONBLOCK);
  addFlag(parts.calls, fd, F_GETFD, F_SETFD, FD_CLOEXEC);
  return fd;
}

function addFlag(
  calls: SystemCalls,
  fd: number,
  get: number,
  set: number,
  flag: number,
): void {
  let result = calls.fcntl(fd, get, 0);
  if (result >= 0 && (result & flag) === 0) {
    result = calls.fcntl(fd, set, result | flag);
  }
  if (result < 0) throw new SystemError("fcntl", -result, { fd });
}

/** The address that a socket is bound to; null if the kernel does not say. */
export function boundAddress(
  calls: SystemCalls,
  fd: number,
): SocketAddress | null {
  const bytes = new Uint8Array(ADDRESS_BYTES_MAX);
  const length = calls.getsockname(fd, bytes);
  return length < 0 ? null : decodeAddress(bytes, length);
}

/** The address of a socket's peer; null if it is not connected any more. */
export function peerAddress(
  calls: SystemCalls,
  fd: number,
): SocketAddress | null {
  const bytes = new Uint8Array(ADDRESS_BYTES_MAX);
  const length = calls.getpeername(fd, bytes);
  return length < 0 ? null : decodeAddress(bytes, length);
}
