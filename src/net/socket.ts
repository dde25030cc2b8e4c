/**
 * Making stream sockets, and what is read from them.
 *
 * @module
 */

import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  decodeAddress,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SocketAddress,
  SOL_SOCKET,
  SystemError,
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { checkInteger, checkString } from "./options.ts";

/** Room for any `struct sockaddr_*`. */
const ADDRESS_BYTES_MAX = 128;

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
    checkString("path", path);
    return path.startsWith("\0")
      ? { family: "unix-abstract", name: path.slice(1) }
      : { family: "unix", path };
  }
  checkString("hostname", hostname);
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

/**
 * Takes over a socket that was made elsewhere: nonblocking and close-on-exec
 * from here on.
 */
export function adoptedSocket(parts: EngineParts, fd: number): number {
  checkInteger("fd", fd, 0, 0x7fffffff);
  if (parts.registry.byFd(fd) !== null) {
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

// Made once: memory of this size is not V8's own, and costs as much as the call.
const addressBytes = new Uint8Array(ADDRESS_BYTES_MAX);

/** The address that a socket is bound to; null if the kernel does not say. */
export function boundAddress(
  calls: SystemCalls,
  fd: number,
): SocketAddress | null {
  const length = calls.getsockname(fd, addressBytes);
  return length < 0 ? null : decodeAddress(addressBytes, length);
}

/** The address of a socket's peer; null if it is not connected any more. */
export function peerAddress(
  calls: SystemCalls,
  fd: number,
): SocketAddress | null {
  const length = calls.getpeername(fd, addressBytes);
  return length < 0 ? null : decodeAddress(addressBytes, length);
}

/** A socket's pending error, cleared by this; 0 for none. */
export function pendingError(calls: SystemCalls, fd: number): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, bytes);
  return value[0];
}
