/**
 * The raw layer: libc's functions by their C names, without exceptions.
 *
 * @module
 */

import { close, eventfd, fcntl, read, write, writev } from "./descriptors.ts";
import {
  epoll_create1,
  epoll_ctl,
  epoll_pwait2,
  epoll_wait,
  waitReadable,
} from "./epoll.ts";
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

export * from "./constants.ts";
export * from "./constants_socket.ts";
export * from "./descriptors.ts";
export * from "./epoll.ts";
export * from "./errno_codes.ts";
export * from "./layout.ts";
export * from "./sockets.ts";
export { EpollEvents } from "./epoll_events.ts";
export {
  check,
  errnoName,
  SystemError,
  type SystemErrorAbout,
} from "./errno.ts";
export { LibraryError, type LibraryErrorCode } from "./library.ts";
export type { Bytes, EventWords, SystemCalls } from "./system_calls.ts";

/** The real system calls. */
export const systemCalls: SystemCalls = {
  now: () => performance.now(),
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
};
