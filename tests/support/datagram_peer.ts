/**
 * The other side of a datagram socket, by bare system calls: what it does
 * happens when the test says so, on the test's own thread.
 */
import {
  bind,
  check,
  close,
  connect,
  decodeAddress,
  encodeAddress,
  errnoName,
  getsockname,
  MSG_DONTWAIT,
  recv,
  send,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  socket,
  type SocketAddress,
} from "../../ffi/mod.ts";
import { bytesOf } from "./net_engine.ts";
import { loopback } from "./net_peer.ts";

const room = new Uint8Array(65536);

/** A bound socket, which may be connected. */
export class DatagramEnd implements Disposable {
  readonly fd: number;
  readonly address: SocketAddress;
  #closed = false;

  /** Bound to a free port of the loopback address, or where it is told to. */
  constructor(address: SocketAddress = loopback(0)) {
    const encoded = encodeAddress(address);
    const type = SOCK_DGRAM | SOCK_CLOEXEC;
    this.fd = check(socket(encoded[0], type, 0), "socket");
    const bound = bind(this.fd, encoded);
    if (bound < 0) this.close();
    check(bound, "bind", { address: JSON.stringify(address) });
    const name = new Uint8Array(128);
    const length = check(getsockname(this.fd, name), "getsockname");
    this.address = decodeAddress(name, length);
  }

  /** Bound, and connected to an address or a port. */
  static to(remote: SocketAddress | number): DatagramEnd {
    const address = typeof remote === "number" ? loopback(remote) : remote;
    const own: SocketAddress = address.family === "ipv4"
      ? loopback(0)
      : address.family === "ipv6"
      ? { family: "ipv6", host: "::1", port: 0 }
      : { family: "unix-unnamed" };
    const end = new DatagramEnd(own);
    check(connect(end.fd, encodeAddress(address)), "connect");
    return end;
  }

  get port(): number {
    return "port" in this.address ? this.address.port : 0;
  }

  /** Connects it, or connects it anew. */
  connect(address: SocketAddress): void {
    check(connect(this.fd, encodeAddress(address)), "connect");
  }

  /** Sends to the peer; returns the count, or the error's name. */
  send(bytes: string | Uint8Array): number | string {
    const data = typeof bytes === "string" ? bytesOf(bytes) : bytes;
    const sent = send(this.fd, data, MSG_DONTWAIT);
    return sent < 0 ? errnoName(sent) : sent;
  }

  /** A copy of the next datagram; null if there is none. */
  receive(): Uint8Array | null {
    const count = recv(this.fd, room, MSG_DONTWAIT);
    return count < 0 ? null : room.slice(0, count);
  }

  /** All that is there, as text. */
  receiveAll(): string[] {
    const texts: string[] = [];
    for (;;) {
      const bytes = this.receive();
      if (bytes === null) return texts;
      texts.push(new TextDecoder().decode(bytes));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A UDP port of the loopback address that nothing is bound to. */
export function closedUdpPort(): number {
  using end = new DatagramEnd();
  return end.port;
}
