/**
 * What all datagram sockets have: broadcast, multicast, hops; and the other end of
 * a datagram, as the kernel has it: told apart, kept and sent to without being
 * decoded.
 *
 * @module
 */

import {
  AF_INET6,
  AF_UNIX,
  type Bytes,
  decodeAddress,
  encodeAddress,
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
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { BaseSocket } from "./base_socket.ts";
import { checkInteger } from "./options.ts";
import { addressText } from "./socket.ts";

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

/** Bytes for any address of a socket. */
export const ADDRESS_BYTES = 128;

/**
 * Who sent a datagram, or who one is sent to: a `struct sockaddr_*`. What
 * `data` is called with is valid until that handler returns; `keep()` makes one
 * that stays.
 *
 * @example Greeting those who come for the first time
 * ```ts
 * import { type DatagramPeer, Engine } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const peers = new Map<string, DatagramPeer>();
 * const server = engine.datagram({ port: 0 }, {
 *   data(datagram, _chunk, from) {
 *     const name = from.toString(); // such as 127.0.0.1:4711
 *     if (peers.has(name)) return;
 *     peers.set(name, from.keep());
 *     datagram.send(new TextEncoder().encode("welcome"), from);
 *   },
 * });
 * const client = engine.datagram({ remote: { port: server.port } }, {
 *   data: () => engine.stop(),
 * });
 * client.send(new Uint8Array(0));
 * engine.run();
 * console.log(peers.size); // 1
 * ```
 */
export class DatagramPeer {
  /** @internal The memory that the address is in. */
  readonly words: Int32Array;
  /** @internal Where it begins there, in words. */
  readonly start: number;
  /** @internal Its length in bytes; 0 for a sender without a name. */
  length: number;

  /** @internal */
  constructor(words: Int32Array, start: number, length: number) {
    this.words = words;
    this.start = start;
    this.length = length;
  }

  /**
   * The peer at an address, to send to it often: the address is encoded here,
   * once.
   *
   * @throws {TypeError | RangeError} If it is no address of its family.
   */
  static at(address: SocketAddress): DatagramPeer {
    const encoded = encodeAddress(address);
    const words = new Int32Array((encoded.length + 3) >> 2);
    new Uint8Array(words.buffer).set(encoded);
    return new DatagramPeer(words, 0, encoded.length);
  }

  /** The address, decoded each time. */
  get address(): SocketAddress {
    if (this.length === 0) return { family: "unix-unnamed" };
    return decodeAddress(this.#bytes(), this.length);
  }

  /** A copy that stays valid. */
  keep(): DatagramPeer {
    const end = this.start + ((this.length + 3) >> 2);
    return new DatagramPeer(
      this.words.slice(this.start, end),
      0,
      this.length,
    );
  }

  /** Whether both have the same address. */
  equals(other: DatagramPeer): boolean {
    const { length } = this;
    if (length !== other.length) return false;
    const mine = this.#bytes();
    const others = other.#bytes();
    for (let index = 0; index < length; index++) {
      if (mine[index] !== others[index]) return false;
    }
    return true;
  }

  /** The address as text: `127.0.0.1:53`, `[::1]:53`, a path, `@name`. */
  toString(): string {
    return addressText(this.address);
  }

  #bytes(): Bytes {
    const { buffer, byteOffset } = this.words;
    return new Uint8Array(buffer, byteOffset + 4 * this.start, this.length);
  }
}
