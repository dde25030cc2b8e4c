/** epoll(7), and poll(2). @module */

import { ENOSYS } from "./errno_codes.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { epoll, epollWaits, polls, threadPolls } from "./libc.ts";
import type { EventWords } from "./system_calls.ts";

/** epoll_create1(2), Linux 2.6.27. Returns the descriptor, or the negative errno. */
export function epoll_create1(flags = 0): number {
  const fd = epoll.c.epoll_create1(flags);
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/** epoll_ctl(2). `event` is the memory of one `struct epoll_event`; null for EPOLL_CTL_DEL. Returns 0, or the negative errno. */
export function epoll_ctl(
  epfd: number,
  op: number,
  fd: number,
  event: EventWords | null,
): number {
  const result = epoll.c.epoll_ctl(epfd, op, fd, event);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** epoll_wait(2). `timeoutMs` is an integer, -1 for ever. Returns the number of events, or the negative errno. */
export function epoll_wait(
  epfd: number,
  events: EventWords,
  eventsMax: number,
  timeoutMs: number,
): number {
  const count = epoll.c.epoll_wait(epfd, events, eventsMax, timeoutMs);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

// struct timespec, as the words of two little-endian 64-bit integers.
const timespec = new Int32Array(4);

/** epoll_pwait2(2), Linux 5.11, without a mask. `timeoutMs` may have a fraction, rounded up to the nanosecond. */
export function epoll_pwait2(
  epfd: number,
  events: EventWords,
  eventsMax: number,
  timeoutMs: number,
): number {
  const wait = epollWaits.c.epoll_pwait2;
  if (wait === null) return -ENOSYS;
  let seconds = Math.floor(timeoutMs / 1000);
  let nanoseconds = Math.ceil((timeoutMs - seconds * 1000) * 1e6);
  if (nanoseconds >= 1e9) {
    seconds += 1;
    nanoseconds = 0;
  }
  timespec[0] = seconds % 2 ** 32;
  timespec[1] = seconds / 2 ** 32;
  timespec[2] = nanoseconds;
  const count = wait(epfd, events, eventsMax, timespec, null);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** Resolves once poll(2) for POLLIN on `fd`, made on another thread, has returned. */
export async function waitReadable(fd: number): Promise<void> {
  const pollfd = new Int32Array([fd, 1]);
  // A call on another thread loses its errno; asking again tells EINTR (0 or -1 once more) from an event.
  while (await threadPolls.c.poll(pollfd, 1, -1) < 0) {
    if (polls.c.poll(pollfd, 1, 0) > 0) return;
  }
}
