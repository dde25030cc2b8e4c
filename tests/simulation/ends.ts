/** Descriptors made by a table of system calls, nonblocking, closed with their scope. */
import {
  AF_INET,
  AF_UNIX,
  check,
  decodeAddress,
  EAGAIN,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  encodeAddress,
  F_DUPFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SocketAddress,
  SOL_SOCKET,
  type SystemCalls,
} from "../../ffi/mod.ts";

const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;
const LOOPBACK: SocketAddress = { family: "ipv4", host: "127.0.0.1", port: 0 };
const UNNAMED: SocketAddress = { family: "unix-unnamed" };

/** Enough for a busy machine; a test that works is never near it. */
const PATIENCE_MS = 20_000;

/** The families of stream sockets that both kernels have. */
export type Family = "unix" | "tcp";

/** What opens descriptors, and closes those that are still its own in the end. */
export class Ends implements Disposable {
  readonly calls: SystemCalls;
  readonly #own = new Set<number>();

  constructor(calls: SystemCalls) {
    this.calls = calls;
  }

  eventfd(value = 0, flags = 0): number {
    const made = this.calls.eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC | flags);
    return this.own(check(made, "eventfd"));
  }

  /** The reading and the writing end of a pipe. */
  pipe(): [number, number] {
    const pair = new Int32Array(2);
    check(this.calls.pipe2(pair, O_NONBLOCK | O_CLOEXEC), "pipe2");
    return [this.own(pair[0]), this.own(pair[1])];
  }

  socket(family: Family): number {
    const domain = family === "unix" ? AF_UNIX : AF_INET;
    const made = this.calls.socket(domain, SOCK_STREAM | FLAGS, 0);
    return this.own(check(made, "socket"));
  }

  /** A listening socket, with a name that the kernel chose. */
  listener(family: Family, backlog = 16): number {
    const fd = this.socket(family);
    const address = family === "unix" ? UNNAMED : LOOPBACK;
    check(this.calls.bind(fd, encodeAddress(address)), "bind");
    check(this.calls.listen(fd, backlog), "listen");
    return fd;
  }

  /** The name that a socket is bound to, as connect(2) takes it. */
  nameOf(fd: number): Uint8Array {
    const bytes = new Uint8Array(128);
    const length = check(this.calls.getsockname(fd, bytes), "getsockname");
    return encodeAddress(decodeAddress(bytes, length));
  }

  /** Two sockets: the one that connected, the one that was accepted. */
  pair(family: Family): [number, number] {
    const listener = this.listener(family);
    const client = this.socket(family);
    this.calls.connect(client, this.nameOf(listener));
    const accepted = this.accept(listener);
    this.close(listener);
    return [client, accepted];
  }

  /** The next connection. One that is on its way is waited for. */
  accept(listener: number): number {
    const deadline = performance.now() + PATIENCE_MS;
    let accepted = this.calls.accept4(listener, FLAGS);
    while (accepted === -EAGAIN && performance.now() < deadline) {
      accepted = this.calls.accept4(listener, FLAGS);
    }
    return this.own(check(accepted, "accept4"));
  }

  dup(fd: number): number {
    const made = this.calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return this.own(check(made, "fcntl"));
  }

  close(fd: number): number {
    this.#own.delete(fd);
    return this.calls.close(fd);
  }

  /** Closes a TCP connection with an RST. */
  reset(fd: number): void {
    const linger = new Uint8Array(Int32Array.of(1, 0).buffer);
    const set = this.calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger);
    check(set, "setsockopt");
    this.close(fd);
  }

  /** Takes a descriptor, to close it in the end. */
  own(fd: number): number {
    this.#own.add(fd);
    return fd;
  }

  /** Leaves a descriptor to somebody who closes it. */
  disown(fd: number): void {
    this.#own.delete(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#own) this.calls.close(fd);
    this.#own.clear();
  }
}
