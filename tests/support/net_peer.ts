/**
 * The other side of a connection, by bare system calls: what it does happens
 * when the test says so, on the test's own thread.
 */
import {
  accept4,
  bind,
  check,
  close,
  connect,
  decodeAddress,
  encodeAddress,
  errnoName,
  getsockname,
  IPPROTO_TCP,
  listen,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  recv,
  send,
  setsockopt,
  SHUT_WR,
  shutdown,
  SO_LINGER,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  socket,
  type SocketAddress,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../ffi/mod.ts";
import "./load_libraries.ts";

const FAMILIES: Record<string, number> = { ipv4: 2, ipv6: 10 };
const text = new TextEncoder();
const buffer = new Uint8Array(1024 * 1024);

/** The loopback address with a port. */
export function loopback(port: number): SocketAddress {
  return { family: "ipv4", host: "127.0.0.1", port };
}

/** A stream socket for an address, blocking and not connected. */
export function streamSocket(address: SocketAddress): number {
  const family = FAMILIES[address.family] ?? 1;
  return check(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

/** The value of an integer option. */
export function optionValue(...words: number[]): Uint8Array {
  return new Uint8Array(new Int32Array(words).buffer);
}

/** The address that a socket is bound to. */
function nameOf(fd: number): SocketAddress {
  const bytes = new Uint8Array(128);
  const length = check(getsockname(fd, bytes), "getsockname");
  return decodeAddress(bytes, length);
}

/** A connected socket. */
export class Peer implements Disposable {
  readonly fd: number;
  #closed = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Connects; the listener need not accept for that. */
  static connect(address: SocketAddress | number): Peer {
    const to = typeof address === "number" ? loopback(address) : address;
    const peer = new Peer(streamSocket(to));
    const result = connect(peer.fd, encodeAddress(to));
    if (result < 0) peer.close();
    check(result, "connect");
    return peer;
  }

  /** Its own address. */
  get address(): SocketAddress {
    return nameOf(this.fd);
  }

  /** Sends what the kernel takes; returns the count, or the error's name. */
  trySend(bytes: string | Uint8Array): number | string {
    const data = typeof bytes === "string" ? text.encode(bytes) : bytes;
    const sent = send(this.fd, data, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? errnoName(sent) : sent;
  }

  /** Sends all, which has to fit into the kernel's buffers. */
  send(bytes: string | Uint8Array): void {
    const length = typeof bytes === "string"
      ? text.encode(bytes).length
      : bytes.length;
    const sent = this.trySend(bytes);
    if (sent !== length) throw new Error(`Sent ${sent} of ${length} bytes`);
  }

  /** Sends until the kernel takes no more; returns the bytes sent. */
  fill(): number {
    setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, optionValue(1));
    let total = 0;
    for (;;) {
      const sent = this.trySend(buffer.subarray(0, 65536));
      if (typeof sent === "string") return total;
      total += sent;
    }
  }

  /**
   * A copy of what is there, `bytesMax` at the most; `"end"` at end of file,
   * the error's name otherwise: `"EAGAIN"` where there is nothing.
   */
  receive(bytesMax: number = buffer.length): Uint8Array | string {
    const room = buffer.subarray(0, Math.min(bytesMax, buffer.length));
    const count = recv(this.fd, room, MSG_DONTWAIT);
    if (count === 0) return "end";
    return count < 0 ? errnoName(count) : room.slice(0, count);
  }

  /** What is there as text; otherwise as `receive()`. */
  receiveText(): string {
    const bytes = this.receive();
    return typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes);
  }

  /** Throws away what is there; returns the bytes, and how that ended. */
  drain(): { bytes: number; then: string } {
    let bytes = 0;
    for (;;) {
      const chunk = this.receive();
      if (typeof chunk === "string") return { bytes, then: chunk };
      bytes += chunk.length;
    }
  }

  /** Sends no more. */
  finish(): void {
    check(shutdown(this.fd, SHUT_WR), "shutdown");
  }

  /** Ends with an RST. */
  reset(): void {
    setsockopt(this.fd, SOL_SOCKET, SO_LINGER, optionValue(1, 0));
    this.close();
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

/** A listening socket that accepts when it is asked to. */
export class PeerListener implements Disposable {
  readonly fd: number;
  readonly address: SocketAddress;

  /** Listens on a free port of the loopback address, or where it is told to. */
  constructor(address: SocketAddress = loopback(0), backlog = 16) {
    this.fd = streamSocket(address);
    check(bind(this.fd, encodeAddress(address)), "bind");
    check(listen(this.fd, backlog), "listen");
    this.address = nameOf(this.fd);
  }

  get port(): number {
    return "port" in this.address ? this.address.port : 0;
  }

  /** The oldest connection of the backlog; waits for one. */
  accept(): Peer {
    return new Peer(check(accept4(this.fd, SOCK_CLOEXEC), "accept4"));
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}

/** Sets the kernel's buffers of a socket; it doubles and bounds the values. */
export function setKernelBuffers(fd: number, bytes: number): void {
  for (const name of [SO_SNDBUF, SO_RCVBUF]) {
    check(setsockopt(fd, SOL_SOCKET, name, optionValue(bytes)), "setsockopt");
  }
}

/** A port of the loopback address that nothing listens on. */
export function closedPort(): number {
  using listener = new PeerListener();
  return listener.port;
}
