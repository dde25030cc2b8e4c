/** A table of system calls of which some fail when the test says so. */
import { EPOLL_CTL_ADD, systemCalls } from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";

/** The real calls, with some of them replaced. */
export function replacing(replacements: Partial<SystemCalls>): SystemCalls {
  return { ...systemCalls, ...replacements };
}

/** The real calls, but that the kernel refuses to watch anything so many times. */
export function refusingToWatch(errno: number, refusals: number): SystemCalls {
  let left = refusals;
  return replacing({
    epoll_ctl: (epfd, op, fd, event) =>
      op === EPOLL_CTL_ADD && left-- > 0
        ? -errno
        : systemCalls.epoll_ctl(epfd, op, fd, event),
  });
}
