/**
 * The real kernel, which now and then fails as it may: interruptions, short
 * transfers, nothing there after all, and no memory or descriptor left.
 */
import {
  EADDRNOTAVAIL,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ENOSPC,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvents,
  EPOLLEXCLUSIVE,
  errnoName,
  systemCalls,
} from "../../ffi/mod.ts";
import type { Bytes, EventWords, SystemCalls } from "../../ffi/system_calls.ts";
import { generator } from "../support/random.ts";

/** A transfer of less than there is. */
const SHORT = 0;

/** Each call that fails, and with what. */
const FAULTS = {
  epoll_ctl: [ENOMEM, ENOSPC],
  epoll_wait: [EINTR],
  epoll_pwait2: [EINTR],
  socket: [EMFILE, ENFILE, ENOBUFS, ENOMEM],
  connect: [EINTR, EADDRNOTAVAIL, ENOBUFS],
  accept4: [EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM],
  recv: [SHORT, SHORT, EINTR, EINTR, EAGAIN, EAGAIN, ENOMEM, ENOBUFS],
  send: [SHORT, SHORT, EINTR, EINTR, EAGAIN, EAGAIN, ENOMEM, ENOBUFS],
  close: [EINTR],
} as const;

type Faulty = keyof typeof FAULTS;

/** Calls of which such a failure is the end of a connection. */
const ENDS: readonly Faulty[] = [
  "epoll_ctl",
  "socket",
  "connect",
  "recv",
  "send",
];
const PASSING: readonly number[] = [SHORT, EINTR, EAGAIN];

/** A table of system calls with faults, the same ones for the same seed. */
export class SeededFaults {
  readonly calls: SystemCalls;
  /** Whether there are any, so that what they are for can be set up before. */
  active = false;
  /** How often each fault was given, by names such as `recv EAGAIN`. */
  readonly counts: Map<string, number> = new Map();
  /** Faults that a connection or an attempt to connect does not survive. */
  fatal = 0;

  readonly #random: (bound: number) => number;
  readonly #oneIn: number;
  /** The entries of epoll sets, by set and descriptor, for what `#owe` does. */
  readonly #entries = new Map<number, EpollEvents>();
  readonly #owed = new Set<number>();
  #epfd = -1;

  /** One call in `oneIn` fails. The table is for one engine. */
  constructor(seed: number, oneIn: number) {
    this.#random = generator(seed);
    this.#oneIn = oneIn;
    const { epoll_wait, epoll_pwait2, socket, accept4 } = systemCalls;
    this.calls = {
      ...systemCalls,
      epoll_ctl: (epfd, op, fd, event) => this.#control(epfd, op, fd, event),
      epoll_wait: (...args) => this.#wait("epoll_wait", epoll_wait, args),
      epoll_pwait2: (...args) => this.#wait("epoll_pwait2", epoll_pwait2, args),
      socket: (...args) => -(this.#fault("socket") ?? -socket(...args)),
      accept4: (...args) => -(this.#fault("accept4") ?? -accept4(...args)),
      connect: (fd, address) => this.#connect(fd, address),
      recv: (...args) => this.#transfer("recv", systemCalls.recv, args),
      send: (...args) => this.#transfer("send", systemCalls.send, args),
      close: (fd) => this.#close(fd),
    };
  }

  /** All faults that were given. */
  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The errno of a fault whose turn it is, or null. */
  #fault(call: Faulty): number | null {
    if (!this.active || this.#random(this.#oneIn) !== 0) return null;
    const faults = FAULTS[call];
    const errno = faults[this.#random(faults.length)];
    const name = `${call} ${errno === SHORT ? "short" : errnoName(errno)}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (ENDS.includes(call) && !PASSING.includes(errno)) this.fatal++;
    return errno;
  }

  #control(
    epfd: number,
    op: number,
    fd: number,
    event: EventWords | null,
  ): number {
    this.#epfd = epfd;
    if (op === EPOLL_CTL_DEL || event === null) {
      this.#entries.delete(fd);
      return systemCalls.epoll_ctl(epfd, op, fd, event);
    }
    const errno = this.#fault("epoll_ctl");
    if (errno !== null) return -errno;
    const entry = new EpollEvents(1);
    entry.words.set(event);
    this.#entries.set(fd, entry);
    return systemCalls.epoll_ctl(epfd, op, fd, event);
  }

  #wait<Args extends [number, EventWords, number, number]>(
    name: "epoll_wait" | "epoll_pwait2",
    call: (...args: Args) => number,
    args: Args,
  ): number {
    this.#report();
    const errno = this.#fault(name);
    return errno === null ? call(...args) : -errno;
  }

  /** An interrupted connect(2) goes on by itself. */
  #connect(fd: number, address: Bytes): number {
    const errno = this.#fault("connect");
    if (errno !== null && errno !== EINTR) return -errno;
    const result = systemCalls.connect(fd, address);
    return errno === null ? result : -errno;
  }

  #transfer(
    name: "recv" | "send",
    call: (fd: number, bytes: Bytes, flags: number) => number,
    [fd, bytes, flags]: [number, Bytes, number],
  ): number {
    const errno = this.#fault(name);
    if (errno === null) return call(fd, bytes, flags);
    if (errno === EAGAIN || errno === SHORT) this.#owed.add(fd);
    if (errno !== SHORT) return -errno;
    const length = 1 + this.#random(Math.max(1, bytes.length));
    return call(fd, bytes.subarray(0, length), flags);
  }

  /** Linux closes the descriptor of an interrupted close(2), too. */
  #close(fd: number): number {
    this.#entries.delete(fd);
    this.#owed.delete(fd);
    const result = systemCalls.close(fd);
    const errno = this.#fault("close");
    return errno === null ? result : -errno;
  }

  /**
   * A kernel that gave less than there was reports the rest when it is there: a
   * change to the same mask makes the real one do so.
   */
  #report(): void {
    for (const fd of this.#owed) {
      const entry = this.#entries.get(fd);
      if (entry === undefined || (entry.mask(0) & EPOLLEXCLUSIVE) !== 0) {
        continue;
      }
      systemCalls.epoll_ctl(this.#epfd, EPOLL_CTL_MOD, fd, entry.words);
    }
    this.#owed.clear();
  }
}
