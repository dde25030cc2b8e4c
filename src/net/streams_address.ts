/**
 * Addresses as streams show them, and names that are needed at once.
 *
 * @module
 */

import {
  decodeAddress,
  EFD_CLOEXEC,
  EINTR,
  F_DUPFD_CLOEXEC,
  NameLookup,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import type { Bytes, SystemCalls } from "../../ffi/mod.ts";
import { isHostName } from "./connect.ts";
import { boundAddress, peerAddress } from "./socket.ts";
import type { Addr } from "./streams_types.ts";

/** The address that a socket is bound to. */
export function localAddr(calls: SystemCalls, fd: number): Addr {
  return addrOf(boundAddress(calls, fd) ?? { family: "unix-unnamed" });
}

/** The address in a `struct sockaddr_in` or `struct sockaddr_in6`. */
export function internetAddr(bytes: Bytes): Addr {
  return addrOf(decodeAddress(bytes));
}

/**
 * The address of a socket's peer. The kernel forgets that of one that has reset
 * the connection: it is all zeros then.
 */
export function remoteAddr(calls: SystemCalls, fd: number, local: Addr): Addr {
  const address = peerAddress(calls, fd);
  if (address !== null) return addrOf(address);
  if (local.transport === "unix") return { transport: "unix", path: "" };
  const hostname = local.hostname.includes(":") ? "::" : "0.0.0.0";
  return { transport: "tcp", hostname, port: 0 };
}

function addrOf(address: SocketAddress): Addr {
  switch (address.family) {
    case "ipv4":
    case "ipv6":
      return {
        transport: "tcp",
        hostname: address.host,
        port: address.port,
      };
    case "unix":
      return { transport: "unix", path: address.path };
    case "unix-abstract":
      return { transport: "unix", path: `\0${address.name}` };
    default:
      return { transport: "unix", path: "" };
  }
}

/** Throws a TypeError for what is no stream's transport, such as `"udp"`. */
export function checkTransport(verb: string, transport: unknown): void {
  if (transport === undefined || transport === "tcp" || transport === "unix") {
    return;
  }
  throw new TypeError(
    `Cannot ${verb}: the transport must be "tcp" or "unix", and is ${transport}`,
  );
}

/** An address as it stands in a URL may have brackets. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith("[") && hostname.endsWith("]")
    ? hostname.slice(1, -1)
    : hostname;
}

/**
 * The first address of a name, as text; an address is its own. Waits for it.
 *
 * @throws {SystemError} If the name is not known.
 */
export function firstAddress(calls: SystemCalls, hostname: string): string {
  if (!isHostName(hostname)) return withoutBrackets(hostname);
  const fd = calls.eventfd(0, EFD_CLOEXEC);
  if (fd < 0) throw new SystemError("eventfd", fd);
  try {
    // The thread's own: it closes it when it ends.
    const copy = calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw new SystemError("fcntl", copy, { fd });
    const names = new NameLookup(copy);
    names.start(hostname);
    const count = new Uint8Array(8);
    while (calls.read(fd, count) === -EINTR);
    const { addresses, errno } = names.result();
    names.stop();
    const [first] = addresses;
    if (first !== undefined && "host" in first) return first.host;
    throw new SystemError("getaddrinfo", errno, { address: hostname });
  } finally {
    calls.close(fd);
  }
}
