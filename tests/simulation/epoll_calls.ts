/** The calls of epoll(7), and the waits, which move the clock. */
import { EBADF, EINVAL, EPERM } from "../../ffi/errno_codes.ts";
import { EPOLLIN } from "../../ffi/constants.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { Epoll } from "./epoll.ts";
import type { Kernel } from "./kernel.ts";
import { type OpenFile, SimulationError } from "./open_file.ts";

type EpollCalls = Pick<
  SystemCalls,
  | "now"
  | "epoll_create1"
  | "epoll_ctl"
  | "epoll_wait"
  | "epoll_pwait2"
  | "waitReadable"
>;

/** Calls on epoll sets, and those that tell or pass the time. */
export function epollCalls({ clock, descriptors }: Kernel): EpollCalls {
  const wait: SystemCalls["epoll_wait"] = (epfd, words, max, timeoutMs) => {
    const set = descriptors.file(epfd);
    if (set === undefined) return -EBADF;
    if (max <= 0 || !(set instanceof Epoll)) return -EINVAL;
    const deadlineNs = timeoutMs < 0 ? Infinity : clock.after(timeoutMs);
    for (;;) {
      const count = set.take(words, max);
      if (count > 0 || clock.nowNs >= deadlineNs) return count;
      const nextNs = Math.min(clock.nextNs, deadlineNs);
      if (nextNs === Infinity) {
        throw new SimulationError(
          "Deadlock: a wait without a timeout, and nothing is left that could end it",
        );
      }
      clock.advanceTo(nextNs);
    }
  };

  return {
    now: () => clock.nowMs,
    epoll_create1: () => descriptors.add(new Epoll(), true),
    epoll_ctl(epfd, operation, fd, event) {
      const set = descriptors.file(epfd);
      const file = descriptors.file(fd);
      if (set === undefined || file === undefined) return -EBADF;
      if (!file.pollable) return -EPERM;
      if (!(set instanceof Epoll)) return -EINVAL;
      return set.control(operation, file, fd, event);
    },
    epoll_wait: wait,
    epoll_pwait2: wait,
    async waitReadable(fd, timeoutMs) {
      const deadlineNs = timeoutMs < 0 ? Infinity : clock.after(timeoutMs);
      const file = descriptors.file(fd);
      while (file !== undefined && file.references > 0) {
        if ((file.poll() & EPOLLIN) !== 0) return;
        // What the runtime has queued comes first: it may end the wait.
        await new Promise((resolve) => setTimeout(resolve, 0));
        if ((file.poll() & EPOLLIN) !== 0) return;
        if (clock.nowNs >= deadlineNs) return;
        const nextNs = Math.min(clock.nextNs, deadlineNs);
        if (nextNs < Infinity) clock.advanceTo(nextNs);
        else await woken(file);
      }
    },
  };
}

/** Resolves when something happens to a file. */
function woken(file: OpenFile): Promise<void> {
  return new Promise((resolve) => {
    const watcher = {
      exclusive: false,
      wake(_key: number) {
        file.unwatch(watcher);
        resolve();
      },
      gone: () => resolve(),
    };
    file.watch(watcher);
  });
}
