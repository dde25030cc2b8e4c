/** epoll(7). @module */

import { int32, requireRoom } from "./arguments.ts";
import { SYS_epoll_pwait2 } from "./constants.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { epoll_event, sigset_t } from "./layout.ts";
import { epoll, epollWaits } from "./libc.ts";
import type { Bytes, EventWords } from "./system_calls.ts";
import { setTimespec } from "./time.ts";

/**
 * epoll_create1(2), Linux 2.6.27. `flags` is 0 or EPOLL_CLOEXEC. Returns the
 * descriptor, or the negative errno.
 */
export function epoll_create1(flags = 0): number {
  const fd = epoll.c.epoll_create1(int32(flags));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/**
 * epoll_ctl(2). `event` holds one `struct epoll_event`; null for EPOLL_CTL_DEL.
 * Returns 0, or the negative errno.
 */
export function epoll_ctl(
  epfd: number,
  op: number,
  fd: number,
  event: EventWords | null,
): number {
  if (event !== null) requireRoom(event, epoll_event.size, "an event");
  const result = epoll.c.epoll_ctl(int32(epfd), int32(op), int32(fd), event);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * epoll_wait(2). Fills `events` with up to `eventsMax` events. `timeoutMs` is
 * an integer, -1 for ever. Returns the number of events, or the negative errno.
 */
export function epoll_wait(
  epfd: number,
  events: EventWords,
  eventsMax: number,
  timeoutMs: number,
): number {
  requireRoom(events, int32(eventsMax) * epoll_event.size, "the events");
  const count = epoll.c.epoll_wait(
    int32(epfd),
    events,
    eventsMax,
    int32(timeoutMs),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/**
 * epoll_pwait(2), Linux 2.6.19: epoll_wait with `mask`, a `sigset_t`, as the
 * thread's signal mask meanwhile. Returns the number of events, or the
 * negative errno.
 */
export function epoll_pwait(
  epfd: number,
  events: EventWords,
  eventsMax: number,
  timeoutMs: number,
  mask: Bytes | null = null,
): number {
  requireRoom(events, int32(eventsMax) * epoll_event.size, "the events");
  if (mask !== null) requireRoom(mask, sigset_t.size, "sigset_t");
  const count = epollWaits.c.epoll_pwait(
    int32(epfd),
    events,
    eventsMax,
    int32(timeoutMs),
    mask,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

const timeout = new Int32Array(4);

/** Bytes of the kernel's own signal set. */
const KERNEL_SIGSET_SIZE = 8n;

/**
 * epoll_pwait2(2), Linux 5.11: a wait to the nanosecond. `timeoutMs` is
 * finite, not negative, and may have a fraction, which is rounded up. Returns
 * the number of events, or the negative errno: ENOSYS on an older kernel.
 */
export function epoll_pwait2(
  epfd: number,
  events: EventWords,
  eventsMax: number,
  timeoutMs: number,
  mask: Bytes | null = null,
): number {
  requireRoom(events, int32(eventsMax) * epoll_event.size, "the events");
  if (mask !== null) {
    requireRoom(mask, Number(KERNEL_SIGSET_SIZE), "a signal mask");
  }
  setTimespec(timeout, 0, timeoutMs);
  const count = epollWaits.c.epoll_pwait2(
    SYS_epoll_pwait2,
    int32(epfd),
    events,
    eventsMax,
    timeout,
    mask,
    KERNEL_SIGSET_SIZE,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}
