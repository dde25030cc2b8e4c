/**
 * The other end of a datagram, as the kernel has it: told apart, kept and sent
 * to without being decoded.
 *
 * @module
 */

import {
  type Bytes,
  decodeAddress,
  encodeAddress,
  type SocketAddress,
} from "../../ffi/mod.ts";
import { addressText } from "./socket.ts";

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
