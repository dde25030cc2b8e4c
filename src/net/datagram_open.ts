/**
 * Making datagram sockets: bound, connected, with their options.
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
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { ADDRESS_BYTES } from "./datagram_peer.ts";
import type { DatagramOptions } from "./datagram_options.ts";
import { checkInteger, kindOf } from "./options.ts";
import { addressText, adoptedSocket, endpointAddress } from "./socket.ts";
import { setSocketOption } from "./socket_options.ts";
import { bindPath, SocketFile } from "./unix_path.ts";

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
