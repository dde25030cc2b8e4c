/**
 * The raw layer: the C library's functions of epoll, descriptors, sockets,
 * timers and signals, by their C names. Each returns what the kernel does: a
 * count, a descriptor, 0, or the *negative* error number. None throws for a
 * call that failed; all throw TypeError or RangeError for arguments that would
 * not arrive in C as they are.
 *
 * ```ts
 * import * as c from "@edgewise/epoll/ffi";
 *
 * const epfd = c.check(c.epoll_create1(c.EPOLL_CLOEXEC), "epoll_create1");
 * const counter = c.check(c.eventfd(1, c.EFD_CLOEXEC), "eventfd");
 *
 * const wanted = new c.EpollEvents(1);
 * wanted.set(0, c.EPOLLIN | c.EPOLLET, counter, 0);
 * c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, counter, wanted.words);
 *
 * const events = new c.EpollEvents(64);
 * const count = c.epoll_wait(epfd, events.words, events.eventsMax, -1);
 * console.log(count, events.slot(0) === counter); // 1 true
 *
 * console.log(c.read(-1, new Uint8Array(8)) === -c.EBADF); // true
 * c.close(counter);
 * c.close(epfd);
 * ```
 *
 * It runs with `--allow-ffi`, and with the path of the C library alone, such
 * as `--allow-ffi=/lib/x86_64-linux-gnu/libc.so.6`. Neither `--allow-net` nor
 * `--allow-read` limits what is done through it. The first call opens the
 * library, and throws {@linkcode LibraryError} where it can't.
 *
 * @module
 */

import {
  fdatasync,
  fsync,
  io_cancel,
  io_destroy,
  io_getevents,
  io_setup,
  io_submit,
  pread,
  pwrite,
} from "./aio.ts";
import {
  close,
  eventfd,
  fcntl,
  getdents64,
  open,
  pipe2,
  read,
  statx,
  unlink,
  write,
} from "./descriptors.ts";
import {
  epoll_create1,
  epoll_ctl,
  epoll_pwait2,
  epoll_wait,
  waitReadable,
} from "./epoll.ts";
import { recvmmsg, recvmsg, sendmmsg, sendmsg } from "./messages.ts";
import { gettid, pidfd_open, waitid } from "./processes.ts";
import { pthread_sigmask, signalfd } from "./signals.ts";
import {
  accept4,
  bind,
  connect,
  getpeername,
  getsockname,
  getsockopt,
  listen,
  recv,
  send,
  setsockopt,
  shutdown,
  socket,
} from "./sockets.ts";
import type { SystemCalls } from "./system_calls.ts";
import { clock_gettime, now, timerfd_create, timerfd_settime } from "./time.ts";
import { sendfile, splice, writev } from "./transfers.ts";

export * from "./aio.ts";
export * from "./constants.ts";
export * from "./constants_process.ts";
export * from "./constants_socket.ts";
export * from "./control_messages.ts";
export * from "./descriptors.ts";
export * from "./epoll.ts";
export * from "./errno_codes.ts";
export * from "./inotify.ts";
export * from "./layout.ts";
export * from "./messages.ts";
export * from "./name_lookup.ts";
export * from "./processes.ts";
export * from "./signal_listener_runtime_deno.ts";
export * from "./signals.ts";
export * from "./sockaddr.ts";
export * from "./sockets.ts";
export * from "./time.ts";
export type { Memory } from "./arguments.ts";
export { builtin, currentProcess, immediately } from "./builtins.ts";
export {
  check,
  errnoName,
  SystemError,
  type SystemErrorAbout,
} from "./errno.ts";
export { LibraryError, type LibraryErrorCode } from "./library.ts";
export type { Bytes, EventWords, SystemCalls } from "./system_calls.ts";
export {
  asRuntimeError,
  runtimeError,
  type RuntimeErrorName,
} from "./this_runtime.ts";
export {
  readv,
  sendfile,
  splice,
  SPLICE_F_MORE,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  writev,
} from "./transfers.ts";

/** The real system calls. */
export const systemCalls: SystemCalls = {
  now,
  epoll_create1,
  epoll_ctl,
  epoll_wait,
  epoll_pwait2,
  waitReadable,
  eventfd,
  read,
  write,
  writev,
  close,
  fcntl,
  open,
  gettid,
  socket,
  bind,
  listen,
  accept4,
  connect,
  getsockname,
  getpeername,
  getsockopt,
  setsockopt,
  recv,
  send,
  shutdown,
  pthread_sigmask,
  signalfd,
  timerfd_create,
  timerfd_settime,
  pidfd_open,
  waitid,
  getdents64,
  clock_gettime,
  sendmsg,
  recvmsg,
  sendmmsg,
  recvmmsg,
  pipe2,
  sendfile,
  splice,
  statx,
  unlink,
  io_setup,
  io_submit,
  io_getevents,
  io_cancel,
  io_destroy,
  pread,
  pwrite,
  fsync,
  fdatasync,
};
