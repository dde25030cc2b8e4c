/** An epoll set without an engine, to see what the kernel itself does. */
import {
  check,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EpollEvents,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type SystemCalls,
  systemCalls,
} from "../../ffi/mod.ts";

/** What was reported for a descriptor: its number and its mask in words. */
export type Report = [fd: number, mask: string];

const BITS: [string, number][] = [
  ["IN", EPOLLIN],
  ["PRI", EPOLLPRI],
  ["OUT", EPOLLOUT],
  ["RDHUP", EPOLLRDHUP],
  ["ERR", EPOLLERR],
  ["HUP", EPOLLHUP],
  ["EXCLUSIVE", EPOLLEXCLUSIVE],
  ["ONESHOT", EPOLLONESHOT],
  ["ET", 1 << 31],
];

/** A mask in words, such as `IN|HUP`. */
export function maskText(mask: number): string {
  return BITS.filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name).join("|");
}

/** An epoll set whose user data is the descriptor. */
export class RawEpoll implements Disposable {
  readonly fd: number;
  readonly #calls: SystemCalls;
  readonly #events: EpollEvents;
  readonly #entry = new EpollEvents(1);

  constructor(eventsMax = 64, calls: SystemCalls = systemCalls) {
    this.#calls = calls;
    this.#events = new EpollEvents(eventsMax);
    this.fd = check(calls.epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  }

  /** EPOLL_CTL_ADD; 0 or the negative errno. */
  add(fd: number, mask: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, mask);
  }

  /** EPOLL_CTL_MOD; 0 or the negative errno. */
  modify(fd: number, mask: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, mask);
  }

  /** EPOLL_CTL_DEL; 0 or the negative errno. */
  remove(fd: number): number {
    return this.#calls.epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, null);
  }

  /** epoll_wait; what is ready now if there is no timeout. */
  wait(timeoutMs = 0): Report[] {
    const { words, eventsMax } = this.#events;
    const count = check(
      this.#calls.epoll_wait(this.fd, words, eventsMax, timeoutMs),
      "epoll_wait",
    );
    return Array.from({ length: count }, (_, index) => [
      this.#events.slot(index),
      maskText(this.#events.mask(index)),
    ]);
  }

  [Symbol.dispose](): void {
    this.#calls.close(this.fd);
  }

  #control(operation: number, fd: number, mask: number): number {
    this.#entry.set(0, mask, fd, 0);
    return this.#calls.epoll_ctl(this.fd, operation, fd, this.#entry.words);
  }
}
