/** Multicast groups as the kernel's options take them. @module */

import { uint32 } from "./arguments.ts";
import { ip_mreqn, ipv6_mreq, sockaddr_in, sockaddr_in6 } from "./layout.ts";
import {
  encodeAddress,
  type Ipv4Address,
  type Ipv6Address,
} from "./sockaddr.ts";
import type { Bytes } from "./system_calls.ts";

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
