/** UDP sockets of the loopback address: what finds no room is lost. */
import {
  ECONNREFUSED,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../ffi/errno_codes.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLRDHUP,
  EPOLLRDNORM,
} from "../../ffi/constants.ts";
import {
  IPPROTO_UDP,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
  SOCK_DGRAM,
  UDP_SEGMENT,
} from "../../ffi/constants_socket.ts";
import type { SocketAddress } from "../../ffi/sockaddr.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import { EVERYBODY } from "./open_file.ts";
import {
  DATA_KEY,
  ROOM_KEY,
  SHUT_BOTH,
  SHUT_RECEIVE,
  SHUT_SEND,
  Socket,
} from "./socket.ts";

/** The longest datagram. */
const BYTES_MAX = 65_507;
/** What the kernel counts for a datagram beside its bytes. */
const OVERHEAD = 768;

/** A datagram and who sent it. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
}

/** A UDP socket. */
export class UdpSocket extends Socket {
  override readonly listening = false;
  readonly #received: Datagram[] = [];
  #used = 0;

  override poll(): number {
    let bits = ROOM_KEY;
    if (this.error !== 0) bits |= EPOLLERR;
    if (this.shut === SHUT_BOTH) bits |= EPOLLHUP;
    if ((this.shut & SHUT_RECEIVE) !== 0) {
      bits |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
    }
    if (this.#received.length > 0) bits |= EPOLLIN | EPOLLRDNORM;
    return bits;
  }

  /** Segments are those of each message: a socket has no size of its own. */
  override getsockopt(level: number, name: number, value: Bytes): number {
    if (level !== IPPROTO_UDP || name !== UDP_SEGMENT) {
      return super.getsockopt(level, name, value);
    }
    value.fill(0, 0, 4);
    return Math.min(4, value.length);
  }

  override accept(): number {
    return -EOPNOTSUPP;
  }

  override connect(address: SocketAddress): number {
    this.#bindSomewhere(address);
    this.remote = address;
    return 0;
  }

  override send(bytes: Bytes, _flags: number): number {
    return this.sendTo(bytes, this.remote);
  }

  /** Sends to an address, or says why not. */
  sendTo(bytes: Bytes, to: SocketAddress | null): number {
    if (to === null) return -EDESTADDRREQ;
    if (bytes.length > BYTES_MAX) return -EMSGSIZE;
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SHUT_SEND) !== 0) return -EPIPE;
    this.#bindSomewhere(to);
    const found = this.network.find(SOCK_DGRAM, to)
      .filter((one) => one instanceof UdpSocket);
    const receiver = found[this.network.choose(found.length)];
    if (receiver === undefined) this.#refused(to);
    else receiver.#arrives({ bytes: new Uint8Array(bytes), from: this.local });
    // What was sent has left the buffer.
    this.wake(ROOM_KEY);
    return bytes.length;
  }

  /** The next datagram, or why there is none. */
  receive(flags: number): Datagram | number {
    if (this.error !== 0) return -this.takeError();
    const peek = (flags & MSG_PEEK) !== 0;
    const next = peek ? this.#received[0] : this.#received.shift();
    if (next === undefined) {
      const nonblocking = this.nonblocking || (flags & MSG_DONTWAIT) !== 0;
      return this.wouldBlock(nonblocking);
    }
    if (!peek) this.#used -= next.bytes.length + OVERHEAD;
    return next;
  }

  override recv(buffer: Bytes, flags: number): number {
    const next = this.receive(flags);
    if (typeof next === "number") return next;
    const part = next.bytes.subarray(0, buffer.length);
    buffer.set(part);
    return (flags & MSG_TRUNC) !== 0 ? next.bytes.length : part.length;
  }

  override shutdown(how: number): number {
    if (how < 0 || how >= SHUT_BOTH) return -EINVAL;
    this.shut |= this.remote === null ? 0 : how + 1;
    this.wake(EVERYBODY);
    return this.remote === null ? -ENOTCONN : 0;
  }

  #bindSomewhere(peer: SocketAddress): void {
    if (!this.bound && "port" in peer) {
      const host = peer.family === "ipv4" ? "127.0.0.1" : "::1";
      this.bind({ family: peer.family, host, port: 0 });
    }
  }

  /** A connected socket hears that nobody is there. */
  #refused(to: SocketAddress): void {
    if (this.remote === null || !same(this.remote, to)) return;
    this.error = ECONNREFUSED;
    this.wake(EPOLLERR);
  }

  #arrives(datagram: Datagram): void {
    const { bytes, from } = datagram;
    if (this.remote !== null && !same(this.remote, from)) return;
    const size = bytes.length + OVERHEAD;
    if (this.#used + size > this.receiveMax) return;
    this.#used += size;
    this.#received.push(datagram);
    this.wake(DATA_KEY);
  }
}

function same(one: SocketAddress, other: SocketAddress): boolean {
  return "port" in one && "port" in other && one.port === other.port &&
    one.host === other.host;
}
