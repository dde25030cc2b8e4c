/** Descriptors of the kernel for tests: made nonblocking, closed with their scope. */
import {
  accept4,
  AF_INET,
  AF_UNIX,
  bind,
  check,
  close,
  connect,
  decodeAddress,
  dup3,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EINPROGRESS,
  encodeAddress,
  eventfd,
  F_DUPFD_CLOEXEC,
  fcntl,
  getsockname,
  listen,
  MSG_PEEK,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDONLY,
  open,
  pipe2,
  poll,
  POLLIN,
  recv,
  setsockopt,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  socket,
  socketpair,
  SOL_SOCKET,
  write,
} from "../../ffi/mod.ts";

const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

/** Two ends that are connected. */
export type Pair = [number, number];

/** A listening socket of 127.0.0.1. */
export interface ListeningSocket {
  fd: number;
  port: number;
}

/** Makes descriptors, and closes those that are still its own at the end. */
export class Files implements Disposable {
  readonly #own = new Set<number>();

  /** A counter. */
  eventfd(value = 0, flags = 0): number {
    return this.own(
      check(eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC | flags), "eventfd"),
    );
  }

  /** The reading and the writing end of a pipe. */
  pipe(): Pair {
    const pair = new Int32Array(2);
    check(pipe2(pair, O_NONBLOCK | O_CLOEXEC), "pipe2");
    return [this.own(pair[0]), this.own(pair[1])];
  }

  /** Two unix stream sockets. */
  unixPair(): Pair {
    const pair = new Int32Array(2);
    check(socketpair(AF_UNIX, SOCK_STREAM | FLAGS, 0, pair), "socketpair");
    return [this.own(pair[0]), this.own(pair[1])];
  }

  /** Two TCP sockets: the one that connected, the one that was accepted. */
  tcpPair(): Pair {
    const listener = this.listener();
    const client = this.client(listener.port);
    waitReadable(listener.fd);
    const accepted = this.accept(listener.fd);
    this.close(listener.fd);
    return [client, accepted];
  }

  /** A TCP socket that is neither bound nor connected. */
  tcpSocket(): number {
    return this.own(check(socket(AF_INET, SOCK_STREAM | FLAGS, 0), "socket"));
  }

  /** A UDP socket that is connected to itself. */
  udpToItself(): number {
    const fd = this.own(
      check(socket(AF_INET, SOCK_DGRAM | FLAGS, 0), "socket"),
    );
    check(bind(fd, loopback(0)), "bind");
    check(connect(fd, loopback(boundPort(fd))), "connect");
    return fd;
  }

  /** A listening TCP socket. */
  listener(backlog = 511): ListeningSocket {
    const fd = this.tcpSocket();
    check(bind(fd, loopback(0)), "bind");
    check(listen(fd, backlog), "listen");
    return { fd, port: boundPort(fd) };
  }

  /** A TCP socket that is connecting to a port, or connected. */
  client(port: number): number {
    const fd = this.tcpSocket();
    const result = connect(fd, loopback(port));
    if (result !== -EINPROGRESS) check(result, "connect");
    return fd;
  }

  /** The next connection of a listener; there must be one. */
  accept(listener: number): number {
    return this.own(check(accept4(listener, FLAGS), "accept4"));
  }

  /** Opens a file or a directory to read. */
  open(path: string): number {
    return this.own(check(open(path, O_RDONLY | O_CLOEXEC), "open"));
  }

  /** A duplicate of a descriptor. */
  dup(fd: number): number {
    return this.own(check(fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl"));
  }

  /** Makes `number` another name of `fd`, whatever it was before. */
  dupTo(fd: number, number: number): void {
    this.own(check(dup3(fd, number, O_CLOEXEC), "dup3"));
  }

  /** Closes a descriptor now. */
  close(fd: number): void {
    this.#own.delete(fd);
    check(close(fd), "close", { fd });
  }

  /** Closes a TCP connection with an RST. */
  reset(fd: number): void {
    // struct linger { int l_onoff, l_linger; }
    const linger = new Uint8Array(new Int32Array([1, 0]).buffer);
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, linger), "setsockopt");
    this.close(fd);
  }

  /** Leaves a descriptor to somebody who closes it. */
  handOver(fd: number): number {
    this.#own.delete(fd);
    return fd;
  }

  /** Takes a descriptor, to close it in the end. */
  own(fd: number): number {
    this.#own.add(fd);
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#own) close(fd);
    this.#own.clear();
  }
}

/** The address of a port of this machine. */
export function loopback(port: number): Uint8Array {
  return encodeAddress({ family: "ipv4", host: "127.0.0.1", port });
}

/** The port that a socket is bound to. */
function boundPort(fd: number): number {
  const bytes = new Uint8Array(128);
  const length = check(getsockname(fd, bytes), "getsockname");
  const address = decodeAddress(bytes, length);
  return address.family === "ipv4" ? address.port : 0;
}

/** Enough for a loaded machine; a test that works is never near it. */
export const PATIENCE_MS = 20_000;

/** Waits until poll(2) reports any of `events`; gives back what it reported. */
export function waitFor(fd: number, events: number): number {
  // struct pollfd { int fd; short events, revents; }
  const pollfd = new Int32Array([fd, events]);
  if (poll(pollfd, 1, PATIENCE_MS) !== 1) {
    throw new Error(`Descriptor ${fd} never had the events ${events}`);
  }
  return pollfd[1] >>> 16;
}

/** Waits until there is something to read. */
export function waitReadable(fd: number): void {
  waitFor(fd, POLLIN);
}

/** Waits until `count` bytes have arrived at a socket, which keeps them. */
export function waitForBytes(fd: number, count: number): void {
  const bytes = new Uint8Array(count);
  do {
    waitReadable(fd);
  } while (recv(fd, bytes, MSG_PEEK) < count);
}

/** Writes all of `count` bytes, which must fit. */
export function put(fd: number, count = 1): void {
  const written = write(fd, new Uint8Array(count));
  if (written !== count) throw new Error(`Wrote ${written} of ${count} bytes`);
}

/** Adds to the counter of an eventfd. */
export function add(fd: number, value = 1n): void {
  check(write(fd, new Uint8Array(BigUint64Array.of(value).buffer)), "write");
}
