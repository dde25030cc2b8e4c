/**
 * epoll(7) with its array of events, and poll(2), on this thread and on another.
 *
 * @module
 */

import { int32, requireRoom, uint32 } from "./arguments.ts";
import { POLLIN, SYS_epoll_pwait2 } from "./constants.ts";
import { check, errnoCopy, errnoView } from "./errno.ts";
import { EINTR } from "./errno_codes.ts";
import {
  epoll_event,
  type EpollEventLayout,
  pollfd,
  sigset_t,
} from "./layout.ts";
import { epoll, epollWaits, moreFiles, threads } from "./libc.ts";
import { library } from "./library.ts";
import type { Bytes, EventWords } from "./system_calls.ts";
import { now, setTimespec } from "./time.ts";

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

/**
 * An array of `struct epoll_event`, as epoll_wait(2) fills it and epoll_ctl(2)
 * takes its first. The 64 bits of user data are a slot (low word) and a
 * generation (high word), both signed 32-bit integers that come back whole.
 *
 * ```ts
 * import { EPOLLIN, EpollEvents } from "@edgewise/epoll/ffi";
 *
 * const events = new EpollEvents(1);
 * events.set(0, EPOLLIN, 7, -1);
 * console.log(events.mask(0), events.slot(0), events.generation(0)); // 1 7 -1
 * ```
 */
export class EpollEvents {
  /** The memory that system calls take. */
  readonly words: Int32Array<ArrayBuffer>;
  /** How many events it holds. */
  readonly eventsMax: number;
  readonly #stride: number;
  readonly #mask: number;
  readonly #slot: number;
  readonly #generation: number;

  /**
   * Room for `eventsMax` events, a positive integer. `layout` is that of this
   * machine by default. Throws RangeError for another `eventsMax`.
   */
  constructor(eventsMax: number, layout: EpollEventLayout = epoll_event) {
    if (!Number.isInteger(eventsMax) || eventsMax < 1) {
      throw new RangeError(
        `Cannot make EpollEvents: eventsMax must be a positive integer, the current value is ${eventsMax}`,
      );
    }
    this.eventsMax = eventsMax;
    this.#stride = layout.size >> 2;
    this.#mask = layout.events >> 2;
    this.#slot = layout.data >> 2;
    this.#generation = (layout.data >> 2) + 1;
    this.words = new Int32Array(eventsMax * this.#stride);
  }

  /** The mask of the event at `index`: EPOLLIN and its like, as an int32. */
  mask(index: number): number {
    return this.words[index * this.#stride + this.#mask];
  }

  /** The low word of the user data. */
  slot(index: number): number {
    return this.words[index * this.#stride + this.#slot];
  }

  /** The high word of the user data. */
  generation(index: number): number {
    return this.words[index * this.#stride + this.#generation];
  }

  /** Writes the event at `index`. */
  set(index: number, mask: number, slot: number, generation: number): void {
    const at = index * this.#stride;
    this.words[at + this.#mask] = mask;
    this.words[at + this.#slot] = slot;
    this.words[at + this.#generation] = generation;
  }
}

/**
 * poll(2) of the first `count` of `struct pollfd`: two words each, the
 * descriptor, then the events asked for and, in the upper half, those that
 * came. `timeoutMs` is an integer, -1 for ever. Returns how many have events,
 * or the negative errno.
 */
export function poll(
  fds: Int32Array<ArrayBufferLike>,
  count: number,
  timeoutMs: number,
): number {
  requireRoom(fds, uint32(count) * pollfd.size, `${count} × struct pollfd`);
  const ready = moreFiles.c.poll(fds, count, int32(timeoutMs));
  return ready < 0 ? -(errnoView ?? errnoCopy())[0] : ready;
}

/** How often Bun, which makes every call on the calling thread, looks. */
const LOOK_INTERVAL_MS = 1;

/**
 * Resolves once a poll(2) for POLLIN on `fd`, made on another thread, has
 * returned: the descriptor is readable, has failed, or `timeoutMs` have passed,
 * a fraction rounded up to the nanosecond. -1, the default, waits for ever.
 * Rejects with SystemError where poll(2) itself fails.
 *
 * Until then the process stays alive; closing `fd` does not end it. Deno makes
 * 32 such calls at a time. Bun, which makes none, looks every millisecond.
 */
export async function waitReadable(
  fd: number,
  timeoutMs: number = -1,
): Promise<void> {
  const fds = new Int32Array([int32(fd), POLLIN]);
  const deadline = timeoutMs < 0 ? Infinity : now() + timeoutMs;
  const wait = library().runtime.nonblocking ? pollOnThread : look;
  while (true) {
    const remainingMs = Math.max(0, deadline - now());
    if (await wait(fds, remainingMs) >= 0) return;
    // Its errno stayed on the other thread: ask again on this one. 0 means that
    // a signal interrupted it.
    const ready = poll(fds, 1, 0);
    if (ready > 0) return;
    if (ready !== -EINTR) check(ready, "poll", { fd });
  }
}

function pollOnThread(fds: Int32Array, timeoutMs: number): Promise<number> {
  if (timeoutMs === Infinity) return threads.c.ppoll(fds, 1, null, null);
  const timeout = new Int32Array(4);
  setTimespec(timeout, 0, timeoutMs);
  return threads.c.ppoll(fds, 1, timeout, null);
}

async function look(fds: Int32Array, timeoutMs: number): Promise<number> {
  const deadline = now() + timeoutMs;
  let ready = poll(fds, 1, 0);
  while (ready === 0 && now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    ready = poll(fds, 1, 0);
  }
  return ready;
}
