/**
 * The seam between the engine and the kernel: every call that `src/` makes, as
 * a table. Each function returns what the kernel returns: a count, a
 * descriptor, 0, or the negative errno. Nothing here throws for a failed call.
 *
 * The real table is `systemCalls` in `mod.ts`. Tests pass a counting or a
 * simulated one to `Engine`.
 *
 * @module
 */

import type { MessageVector } from "./messages.ts";

/**
 * Bytes that a call reads or fills. A view on a SharedArrayBuffer is allowed; a
 * view's offset and length are honoured.
 */
export type Bytes = Uint8Array<ArrayBufferLike>;

/** Words of an array of `struct epoll_event`; `EpollEvents` gives them meaning. */
export type EventWords = Int32Array<ArrayBufferLike>;

/** The calls that `src/` makes of the kernel. */
export interface SystemCalls {
  /** CLOCK_MONOTONIC in milliseconds with a fraction, from any fixed origin. */
  now(): number;

  /** epoll_create1(2). Returns the descriptor. */
  epoll_create1(flags: number): number;
  /** epoll_ctl(2). `event` holds one `struct epoll_event`; null for DEL. */
  epoll_ctl(
    epfd: number,
    op: number,
    fd: number,
    event: EventWords | null,
  ): number;
  /** epoll_wait(2). `timeoutMs` is an integer, -1 for ever. Returns the number of events. */
  epoll_wait(
    epfd: number,
    events: EventWords,
    eventsMax: number,
    timeoutMs: number,
  ): number;
  /**
   * epoll_pwait2(2), Linux 5.11, without a mask. `timeoutMs` is finite, not
   * negative, and may have a fraction, rounded up to the nanosecond. Returns
   * -ENOSYS where the C library or the kernel lacks it.
   */
  epoll_pwait2(
    epfd: number,
    events: EventWords,
    eventsMax: number,
    timeoutMs: number,
  ): number;
  /**
   * Resolves once a ppoll(2) for POLLIN on `fd`, made on another thread, has
   * returned: the descriptor is readable, or `timeoutMs` have passed (-1: never;
   * fractions are allowed). Consumes nothing of an epoll descriptor. Used beside
   * the runtime's own event loop only.
   */
  waitReadable(fd: number, timeoutMs: number): Promise<void>;

  /** gettid(2): this thread's kernel id. */
  gettid(): number;
  /** open(2) of what exists, without a mode. Returns the descriptor. */
  open(path: string, flags: number): number;
  /** eventfd(2). */
  eventfd(initval: number, flags: number): number;
  /** read(2): the count, 0 at end of file. */
  read(fd: number, buffer: Bytes): number;
  /** write(2): the count. */
  write(fd: number, buffer: Bytes): number;
  /** writev(2) of the first `count` chunks, at most IOV_MAX: the count of bytes. */
  writev(fd: number, chunks: readonly Bytes[], count: number): number;
  /** close(2). */
  close(fd: number): number;
  /** fcntl(2) with an integer argument. */
  fcntl(fd: number, command: number, argument: number): number;

  /** socket(2). */
  socket(domain: number, type: number, protocol: number): number;
  /** bind(2); `address` is a whole `struct sockaddr_*` of exactly its length. */
  bind(fd: number, address: Bytes): number;
  /** listen(2). */
  listen(fd: number, backlog: number): number;
  /** accept4(2): fills `address`, where given, and returns the descriptor. */
  accept4(fd: number, flags: number, address?: Bytes | null): number;
  /** connect(2). */
  connect(fd: number, address: Bytes): number;
  /** getsockname(2): fills `address` and returns its length. */
  getsockname(fd: number, address: Bytes): number;
  /** getpeername(2): fills `address` and returns its length. */
  getpeername(fd: number, address: Bytes): number;
  /** getsockopt(2): fills `value` and returns its length. */
  getsockopt(fd: number, level: number, name: number, value: Bytes): number;
  /** setsockopt(2). */
  setsockopt(fd: number, level: number, name: number, value: Bytes): number;
  /** recv(2): the count, 0 at end of file. */
  recv(fd: number, buffer: Bytes, flags: number): number;
  /** send(2): the count. */
  send(fd: number, buffer: Bytes, flags: number): number;
  /** shutdown(2). */
  shutdown(fd: number, how: number): number;

  /** pthread_sigmask(3) of this thread; `set` and `old` are `sigset_t`, or null. */
  pthread_sigmask(how: number, set: Bytes | null, old: Bytes | null): number;
  /** signalfd(2); `fd` is -1 for a new one. Returns the descriptor. */
  signalfd(fd: number, mask: Bytes, flags: number): number;
  /** timerfd_create(2). Returns the descriptor. */
  timerfd_create(clock: number, flags: number): number;
  /** timerfd_settime(2); `value` is a `struct itimerspec`. */
  timerfd_settime(fd: number, flags: number, value: Int32Array): number;
  /** pidfd_open(2), Linux 5.3. Returns the descriptor. */
  pidfd_open(pid: number, flags: number): number;
  /** waitid(2): fills a `siginfo_t`. */
  waitid(idtype: number, id: number, info: Bytes, options: number): number;
  /** getdents64(2): fills `buffer` with entries of a directory: the count of bytes, 0 at the end. */
  getdents64(fd: number, buffer: Bytes): number;
  /** clock_gettime(2): fills a `struct timespec`. */
  clock_gettime(clock: number, time: Int32Array): number;

  /** sendmsg(2) with control data: the count. */
  sendmsg(fd: number, data: Bytes, control: Bytes, flags: number): number;
  /** recvmsg(2): fills data, control data, and `outcome`; returns the count. */
  recvmsg(
    fd: number,
    data: Bytes,
    control: Bytes,
    outcome: Int32Array,
    flags: number,
  ): number;
  /** sendmmsg(2) of `count` messages from `start` on: the number sent. */
  sendmmsg(
    fd: number,
    vector: MessageVector,
    start: number,
    count: number,
    flags: number,
  ): number;
  /** recvmmsg(2) of up to `count` messages: the number received. */
  recvmmsg(
    fd: number,
    vector: MessageVector,
    count: number,
    flags: number,
  ): number;

  /** pipe2(2): fills a pair of descriptors. */
  pipe2(fds: Int32Array, flags: number): number;
  /** sendfile(2): the count; moves `offset` on. */
  sendfile(
    outFd: number,
    inFd: number,
    offset: BigInt64Array,
    count: number,
  ): number;
  /** splice(2): the count, 0 at end of file. */
  splice(inFd: number, outFd: number, count: number, flags: number): number;
  /** statx(2): fills a `struct statx`. */
  statx(
    dirFd: number,
    path: string,
    flags: number,
    mask: number,
    status: Bytes,
  ): number;
  /** unlink(2). */
  unlink(path: string): number;

  /** io_setup(2): fills `context`, which is 0 before. */
  io_setup(requestsMax: number, context: BigUint64Array): number;
  /** io_submit(2) of the first `count` of `requests`: the number taken. */
  io_submit(context: bigint, requests: BigUint64Array, count: number): number;
  /** io_getevents(2): the number of results. `timeoutMs` is -1 for ever. */
  io_getevents(
    context: bigint,
    eventsMin: number,
    eventsMax: number,
    events: Int32Array,
    timeoutMs: number,
  ): number;
  /** io_cancel(2) of the request at an address. */
  io_cancel(context: bigint, request: bigint, event: Int32Array): number;
  /** io_destroy(2): returns once nothing of the context is under way. */
  io_destroy(context: bigint): number;
  /** pread(2): the count, 0 at end of file. */
  pread(fd: number, buffer: Bytes, offset: number): number;
  /** pwrite(2): the count. */
  pwrite(fd: number, buffer: Bytes, offset: number): number;
  /** fsync(2). */
  fsync(fd: number): number;
  /** fdatasync(2). */
  fdatasync(fd: number): number;
}
