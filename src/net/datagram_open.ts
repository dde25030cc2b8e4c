/**
 * Making datagram sockets: bound, connected, with their options.
 *
 * @module
 */

import {
  check,
  encodeAddress,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
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
import { integerOption } from "./datagram_socket.ts";
import { checkInteger } from "./options.ts";
import { addressText, adoptedSocket, endpointAddress } from "./socket.ts";

/** A socket and what is known of it. */
export interface OpenSocket {
  readonly fd: number;
  /** AF_INET, AF_INET6 or AF_UNIX. */
  readonly domain: number;
  readonly connected: boolean;
}

/** Makes the socket that options ask for. Nothing is left open when it fails. */
export function openDatagram(
  parts: EngineParts,
  options: DatagramOptions,
): OpenSocket {
  if (options.fd !== undefined) return adoptDatagram(parts, options.fd);
  const { calls } = parts;
  const remote = options.remote === undefined
    ? null
    : endpointAddress(options.remote, 1);
  const local = ownAddress(options, remote);
  const address = local ?? remote as SocketAddress;
  const domain = encodeAddress(address)[0];
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const about = { address: addressText(address) };
  const fd = check(calls.socket(domain, type, 0), "socket", about);
  try {
    setOptions(calls, fd, options);
    if (local !== null) {
      check(calls.bind(fd, encodeAddress(local)), "bind", about);
    }
    if (remote !== null) {
      const about = { address: addressText(remote) };
      check(calls.connect(fd, encodeAddress(remote)), "connect", about);
    }
  } catch (error) {
    calls.close(fd);
    throw error;
  }
  return { fd, domain, connected: remote !== null };
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
  const { reusePort, reuseAddress, broadcast } = options;
  const { receiveBufferBytes, sendBufferBytes } = options;
  const set = (name: number, value: number) => {
    check(
      calls.setsockopt(fd, SOL_SOCKET, name, integerOption(value)),
      "setsockopt",
      {
        fd,
      },
    );
  };
  if (reusePort) set(SO_REUSEPORT, 1);
  if (reuseAddress) set(SO_REUSEADDR, 1);
  if (broadcast) set(SO_BROADCAST, 1);
  if (receiveBufferBytes !== undefined) {
    checkInteger("receiveBufferBytes", receiveBufferBytes, 1, 0x3fffffff);
    set(SO_RCVBUF, receiveBufferBytes);
  }
  if (sendBufferBytes !== undefined) {
    checkInteger("sendBufferBytes", sendBufferBytes, 1, 0x3fffffff);
    set(SO_SNDBUF, sendBufferBytes);
  }
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
  return { fd, domain: name[0], connected };
}
