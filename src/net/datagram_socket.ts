/**
 * What all datagram sockets have: broadcast, multicast, hops.
 *
 * @module
 */

import {
  AF_INET6,
  AF_UNIX,
  type Bytes,
  encodeMembership,
  interfaceIndex,
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_JOIN_GROUP,
  IPV6_LEAVE_GROUP,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  SystemError,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { BaseSocket } from "./base_socket.ts";
import { checkInteger } from "./options.ts";

/** A datagram socket; {@linkcode Datagram} sends and receives. */
export abstract class DatagramSocket extends BaseSocket {
  readonly #domain: number;

  /** @internal */
  constructor(event: FdEvent, domain: number) {
    super(event);
    this.#domain = domain;
  }

  /** The port that the socket is bound to; 0 for a unix socket. */
  get port(): number {
    const address = this.localAddress;
    return address !== null && "port" in address ? address.port : 0;
  }

  /**
   * Sets SO_BROADCAST: whether sending to broadcast addresses is allowed.
   *
   * @throws {SystemError} `EBADF` once the socket is closed, as the others do.
   */
  setBroadcast(enabled = true): void {
    this.setOption("SO_BROADCAST", enabled);
  }

  /**
   * Sets how many routers a datagram passes (IP_TTL, IPV6_UNICAST_HOPS), from 1
   * to 255.
   *
   * @throws {SystemError} `EINVAL` outside that range.
   */
  setTtl(hops: number): void {
    const ipv6 = this.#domain === AF_INET6;
    this.setOption(ipv6 ? "IPV6_UNICAST_HOPS" : "IP_TTL", hops);
  }

  /**
   * Sets the same for multicast (IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS), from 0
   * to 255; 1 by default.
   *
   * @throws {SystemError} `EINVAL` outside that range.
   */
  setMulticastTtl(hops: number): void {
    this.#setInternet(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
  }

  /** Sets whether this machine's members get the multicast sent; the default. */
  setMulticastLoopback(enabled: boolean): void {
    const value = Number(enabled);
    this.#setInternet(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, value);
  }

  /**
   * Sets the interface that multicast is sent from.
   *
   * @param networkInterface A name, such as `"lo"`, or a number.
   * @throws {TypeError} If there is no interface of that name.
   */
  setMulticastInterface(networkInterface: string | number): void {
    const index = interfaceIndex(networkInterface);
    if (this.#domain === AF_INET6) {
      this.#set(IPPROTO_IPV6, IPV6_MULTICAST_IF, word(index));
    } else {
      const any = { family: "ipv4", host: "0.0.0.0", port: 0 } as const;
      this.#set(IPPROTO_IP, IP_MULTICAST_IF, encodeMembership(any, index));
    }
  }

  /**
   * Joins a multicast group. The socket should be bound to the group, or to any
   * address (`0.0.0.0`, `::`).
   *
   * @param group An address of the socket's family.
   * @param networkInterface As for `setMulticastInterface`; the kernel chooses
   * one for 0.
   * @throws {TypeError} If `group` is no address, or there is no such interface.
   * @throws {SystemError} `EINVAL` if it is not one of a group, `EADDRINUSE` if
   * the socket has joined it.
   */
  joinGroup(group: string, networkInterface: string | number = 0): void {
    this.#member(IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, group, networkInterface);
  }

  /** Leaves a multicast group; parameters and errors as for `joinGroup`. */
  leaveGroup(group: string, networkInterface: string | number = 0): void {
    this.#member(IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP, group, networkInterface);
  }

  /** @internal Whether it is a unix socket. */
  protected get isUnix(): boolean {
    return this.#domain === AF_UNIX;
  }

  #member(
    name: number,
    nameIpv6: number,
    host: string,
    networkInterface: string | number,
  ): void {
    const index = interfaceIndex(networkInterface);
    if (this.#domain === AF_INET6) {
      const group = { family: "ipv6", host, port: 0 } as const;
      this.#set(IPPROTO_IPV6, nameIpv6, encodeMembership(group, index));
    } else {
      const group = { family: "ipv4", host, port: 0 } as const;
      this.#set(IPPROTO_IP, name, encodeMembership(group, index));
    }
  }

  #setInternet(name: number, nameIpv6: number, value: number): void {
    checkInteger("hops", value, 0, 255);
    if (this.#domain === AF_INET6) {
      this.#set(IPPROTO_IPV6, nameIpv6, word(value));
    } else this.#set(IPPROTO_IP, name, word(value));
  }

  #set(level: number, name: number, value: Bytes): void {
    const { calls } = this.event.parts;
    const result = calls.setsockopt(this.fd, level, name, value);
    if (result < 0) {
      throw new SystemError("setsockopt", -result, { fd: this.event.fd });
    }
  }
}

/** The value of an integer option. */
function word(value: number): Bytes {
  return new Uint8Array(new Int32Array([value]).buffer);
}
