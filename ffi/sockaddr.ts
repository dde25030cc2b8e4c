/**
 * Addresses of sockets and multicast groups, as objects and as the kernel's
 * structures.
 *
 * @module
 */

import { cString, uint32 } from "./arguments.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./constants_socket.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "./ip_address.ts";
import {
  ip_mreqn,
  ipv6_mreq,
  sockaddr_in,
  sockaddr_in6,
  sockaddr_un,
} from "./layout.ts";
import { interfaces } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** An IPv4 address with a port. */
export interface Ipv4Address {
  /** Its kind. */
  readonly family: "ipv4";
  /** The address as text, never a name: "127.0.0.1". */
  readonly host: string;
  /** From 0 to 65,535; bind(2) chooses one for 0. */
  readonly port: number;
}

/** An IPv6 address with a port. */
export interface Ipv6Address {
  /** Its kind. */
  readonly family: "ipv6";
  /**
   * The address as text, never a name: "::1". It may end in a scope, a number
   * or an interface: "fe80::1%eth0".
   */
  readonly host: string;
  /** From 0 to 65,535; bind(2) chooses one for 0. */
  readonly port: number;
  /** The number of the interface that a link-local address belongs to. */
  readonly scopeId?: number;
  /** Flow label and traffic class, 0 by default. */
  readonly flowInfo?: number;
}

/** A unix socket at a path of the file system. */
export interface UnixAddress {
  /** Its kind. */
  readonly family: "unix";
  /** The path: 1 to 107 bytes, none of them NUL. */
  readonly path: string;
}

/** A unix socket with a name outside the file system. */
export interface UnixAbstractAddress {
  /** Its kind. */
  readonly family: "unix-abstract";
  /** The name, without the NUL before it in C: 0 to 107 bytes. */
  readonly name: string;
}

/** A unix socket without a name, such as one of a socketpair. */
export interface UnixUnnamedAddress {
  /** Its kind. */
  readonly family: "unix-unnamed";
}

/** The address of a socket. */
export type SocketAddress =
  | Ipv4Address
  | Ipv6Address
  | UnixAddress
  | UnixAbstractAddress
  | UnixUnnamedAddress;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The `struct sockaddr_*` of an address, of exactly its length.
 *
 * ```ts
 * import { decodeAddress, encodeAddress } from "@edgewise/epoll/ffi";
 *
 * const bytes = encodeAddress({ family: "ipv6", host: "::1", port: 80 });
 * console.log(bytes.length); // 28
 * console.log(decodeAddress(bytes)); // { family: "ipv6", host: "::1", port: 80 }
 * ```
 *
 * Throws TypeError for a host that is not an address of its family, for an
 * interface that there is none of, and for a path that is empty or holds a NUL;
 * RangeError for a number or a length out of range.
 */
export function encodeAddress(address: SocketAddress): Bytes {
  switch (address?.family) {
    case "ipv4":
      return encodeIpv4(address);
    case "ipv6":
      return encodeIpv6(address);
    case "unix":
      if (address.path === "") refuse("encode a unix path", "");
      // The NUL at the end is part of it.
      return encodeUnix(
        cString(requireText(address.path)),
        "path",
        address.path,
      );
    case "unix-abstract":
      return encodeUnix(
        encoder.encode("\0" + requireText(address.name)),
        "abstract name",
        address.name,
      );
    case "unix-unnamed":
      return encodeUnix(new Uint8Array(0), "name", "");
    default:
      return refuse("encode a socket address", address);
  }
}

/**
 * The address in a `struct sockaddr_*` of `length` bytes, as the kernel gives
 * the length. Throws TypeError for a family that is none of the above, and
 * RangeError for a length that does not suffice.
 */
export function decodeAddress(
  bytes: Bytes,
  length: number = bytes.byteLength,
): SocketAddress {
  const { sin_family } = sockaddr_in;
  const family = bytes.byteLength < 2 || length < 2
    ? -1
    : bytes[sin_family] | bytes[sin_family + 1] << 8;
  switch (family) {
    case AF_INET:
      requireLength(bytes, length, sockaddr_in.size);
      return decodeIpv4(bytes);
    case AF_INET6:
      requireLength(bytes, length, sockaddr_in6.size);
      return decodeIpv6(bytes);
    case AF_UNIX:
      return decodeUnix(bytes.subarray(sockaddr_un.sun_path, length));
    default:
      return refuse("decode a socket address: its family", family);
  }
}

function encodeIpv4({ host, port }: Ipv4Address): Bytes {
  const ip = parseIpv4(requireText(host)) ??
    refuse("parse an IPv4 address", host);
  const view = internetView(sockaddr_in.size, AF_INET, port);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(ip, sockaddr_in.sin_addr);
  return bytes;
}

function encodeIpv6(address: Ipv6Address): Bytes {
  const { host, port, flowInfo = 0 } = address;
  const percent = requireText(host).indexOf("%");
  const text = percent < 0 ? host : host.slice(0, percent);
  const ip = parseIpv6(text) ?? refuse("parse an IPv6 address", host);
  const scopeId = percent < 0
    ? address.scopeId ?? 0
    : scopeNumber(host.slice(percent + 1));
  const view = internetView(sockaddr_in6.size, AF_INET6, port);
  view.setUint32(sockaddr_in6.sin6_flowinfo, uint32(flowInfo));
  view.setUint32(sockaddr_in6.sin6_scope_id, uint32(scopeId), true);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(ip, sockaddr_in6.sin6_addr);
  return bytes;
}

/** Family and port, which stand at the same place in both. */
function internetView(
  size: number,
  family: number,
  port: number,
): DataView<ArrayBuffer> {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new RangeError(
      `Cannot encode a socket address: the port must be from 0 to 65535, the current value is ${port}`,
    );
  }
  const view = new DataView(new ArrayBuffer(size));
  view.setUint16(sockaddr_in.sin_family, family, true);
  view.setUint16(sockaddr_in.sin_port, port);
  return view;
}

/** The number of a scope, which may be the name of an interface. */
function scopeNumber(scope: string): number {
  if (/^\d+$/.test(scope)) return Number(scope);
  const number = interfaces.c.if_nametoindex(cString(scope));
  return number > 0 ? number : refuse("find a network interface", scope);
}

function encodeUnix(name: Uint8Array, what: string, value: string): Bytes {
  const room = sockaddr_un.size - sockaddr_un.sun_path;
  if (name.length > room) {
    throw new RangeError(
      `Cannot encode a unix ${what}: it has ${
        name.length - 1
      } bytes and may have ${room - 1}, the current value is ${
        JSON.stringify(value)
      }`,
    );
  }
  const bytes = new Uint8Array(sockaddr_un.sun_path + name.length);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, sockaddr_un.sun_path);
  return bytes;
}

/** Without a view of the memory, which takes longer to make than the rest. */
function decodeIpv4(bytes: Bytes): Ipv4Address {
  const { sin_addr, sin_port } = sockaddr_in;
  return {
    family: "ipv4",
    host: formatIpv4(bytes, sin_addr),
    port: bytes[sin_port] << 8 | bytes[sin_port + 1],
  };
}

function decodeIpv6(bytes: Bytes): Ipv6Address {
  const { sin6_addr, sin6_port, sin6_flowinfo, sin6_scope_id } = sockaddr_in6;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scopeId = view.getUint32(sin6_scope_id, true);
  const flowInfo = view.getUint32(sin6_flowinfo);
  return {
    family: "ipv6",
    host: formatIpv6(bytes.subarray(sin6_addr, sin6_addr + 16)),
    port: view.getUint16(sin6_port),
    ...(scopeId === 0 ? {} : { scopeId }),
    ...(flowInfo === 0 ? {} : { flowInfo }),
  };
}

function decodeUnix(
  name: Bytes,
): UnixAddress | UnixAbstractAddress | UnixUnnamedAddress {
  if (name.length === 0) return { family: "unix-unnamed" };
  if (name[0] === 0) {
    return { family: "unix-abstract", name: decode(name.subarray(1)) };
  }
  // The kernel may leave out the NUL of a path that fills the structure.
  const end = name.indexOf(0);
  return {
    family: "unix",
    path: decode(end < 0 ? name : name.subarray(0, end)),
  };
}

/** TextDecoder refuses shared memory, and `slice` of it stays shared. */
function decode(bytes: Bytes): string {
  return decoder.decode(new Uint8Array(bytes));
}

function requireLength(bytes: Bytes, length: number, size: number): void {
  const given = Math.min(bytes.byteLength, length);
  if (given >= size) return;
  throw new RangeError(
    `Cannot decode a socket address: it takes ${size} bytes, the current length is ${given}`,
  );
}

/** What has to be text, and may be anything where no types hold it back. */
function requireText(value: string): string {
  if (typeof value === "string") return value;
  return refuse("encode a socket address", value);
}

function refuse(what: string, value: unknown): never {
  throw new TypeError(
    `Cannot ${what}: the current value is ${JSON.stringify(value)}`,
  );
}

/**
 * The number of a network interface, given as a number, 0 for none in
 * particular, or as a name such as "lo". Throws TypeError where there is none.
 */
export function interfaceIndex(networkInterface: string | number): number {
  if (typeof networkInterface === "number") return uint32(networkInterface);
  // A name is looked up where it is the scope of an address.
  const host = `fe80::%${networkInterface}`;
  const address = encodeAddress({ family: "ipv6", host, port: 0 });
  const view = new DataView(address.buffer, address.byteOffset);
  return view.getUint32(sockaddr_in6.sin6_scope_id, true);
}

/**
 * A multicast group on an interface: `struct ip_mreqn` of IP_ADD_MEMBERSHIP and
 * IP_DROP_MEMBERSHIP, or `struct ipv6_mreq` of IPV6_JOIN_GROUP and
 * IPV6_LEAVE_GROUP. Throws TypeError for what is no address.
 */
export function encodeMembership(
  group: Ipv4Address | Ipv6Address,
  interfaceIndex: number,
): Bytes {
  const address = encodeAddress(group);
  const ipv4 = group.family === "ipv4";
  const at = ipv4 ? sockaddr_in.sin_addr : sockaddr_in6.sin6_addr;
  const bytes = new Uint8Array(ipv4 ? ip_mreqn.size : ipv6_mreq.size);
  bytes.set(address.subarray(at, at + (ipv4 ? 4 : 16)));
  new DataView(bytes.buffer).setUint32(
    ipv4 ? ip_mreqn.imr_ifindex : ipv6_mreq.ipv6mr_interface,
    uint32(interfaceIndex),
    true,
  );
  return bytes;
}
