/** poll(2), on this thread and on another. @module */

import { int32, requireRoom, uint32 } from "./arguments.ts";
import { POLLIN } from "./constants.ts";
import { check, errnoCopy, errnoView } from "./errno.ts";
import { EINTR } from "./errno_codes.ts";
import { pollfd } from "./layout.ts";
import { moreFiles, threads } from "./libc.ts";
import { library } from "./library.ts";
import { now, setTimespec } from "./time.ts";

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
