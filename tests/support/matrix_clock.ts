/** A clock that stands still until it is waited on or moved. */
import { type SystemCalls, systemCalls } from "../../ffi/mod.ts";

/**
 * System calls whose waits take no time: what would have been waited is added
 * to the clock.
 */
export class VirtualClock {
  nowMs: number;
  /** The timeouts of the waits, -1 for ever. */
  readonly waitsMs: number[] = [];
  readonly calls: SystemCalls;

  constructor(startMs = 1_000) {
    this.nowMs = startMs;
    const wait: SystemCalls["epoll_wait"] = (epfd, words, max, timeoutMs) => {
      this.waitsMs.push(timeoutMs);
      const count = systemCalls.epoll_wait(epfd, words, max, 0);
      if (count !== 0 || timeoutMs === 0) return count;
      if (timeoutMs < 0) throw new Error("Nothing would ever end this wait");
      this.nowMs += timeoutMs;
      return 0;
    };
    this.calls = {
      ...systemCalls,
      now: () => this.nowMs,
      epoll_wait: wait,
      epoll_pwait2: wait,
    };
  }
}
