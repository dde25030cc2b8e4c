/** timerfd_create(2): a counter of expirations that the clock raises. */
import { EINVAL } from "../../ffi/errno_codes.ts";
import { EPOLLIN, TFD_TIMER_ABSTIME } from "../../ffi/constants.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import type { Alarm, Clock } from "./clock.ts";
import { OpenFile } from "./open_file.ts";

/** Bytes of the counter. */
const SIZE = 8;
const NS_PER_S = 1e9;
/** Words of `struct itimerspec`. */
const INTERVAL = 0;
const VALUE = 4;

/** A timer with a descriptor. */
export class TimerFile extends OpenFile {
  readonly #clock: Clock;
  #alarm: Alarm | null = null;
  #intervalNs = 0;
  /** When it last expired. */
  #expiredNs = 0;
  #expired = false;

  constructor(clock: Clock, nonblocking: boolean) {
    super(nonblocking);
    this.#clock = clock;
  }

  override poll(): number {
    return this.#expired ? EPOLLIN : 0;
  }

  /** timerfd_settime(2). */
  set(flags: number, value: Int32Array): number {
    const firstNs = nanoseconds(value, VALUE);
    const intervalNs = nanoseconds(value, INTERVAL);
    if (firstNs < 0 || intervalNs < 0) return -EINVAL;
    this.#cancel();
    this.#expired = false;
    this.#intervalNs = intervalNs;
    if (firstNs === 0) return 0;
    const absolute = (flags & TFD_TIMER_ABSTIME) !== 0;
    const atNs = absolute ? firstNs : this.#clock.nowNs + firstNs;
    if (atNs <= this.#clock.nowNs) this.#expire(atNs);
    else this.#alarm = this.#clock.set(atNs, () => this.#expire(atNs));
    return 0;
  }

  override read(buffer: Bytes): number {
    if (buffer.length < SIZE) return -EINVAL;
    if (!this.#expired) return this.wouldBlock();
    this.#expired = false;
    let count = 1;
    const interval = this.#intervalNs;
    if (interval > 0) {
      // The kernel goes on counting only when it is read.
      const missed = Math.floor(
        (this.#clock.nowNs - this.#expiredNs) / interval,
      );
      count += missed;
      const next = this.#expiredNs + (missed + 1) * interval;
      this.#alarm = this.#clock.set(next, () => this.#expire(next));
    }
    const view = new DataView(buffer.buffer, buffer.byteOffset, SIZE);
    view.setBigUint64(0, BigInt(count), true);
    return SIZE;
  }

  override release(): void {
    this.#cancel();
  }

  #expire(atNs: number): void {
    this.#alarm = null;
    this.#expired = true;
    this.#expiredNs = atNs;
    this.wake(EPOLLIN);
  }

  #cancel(): void {
    if (this.#alarm !== null) this.#clock.cancel(this.#alarm);
    this.#alarm = null;
  }
}

/** A `struct timespec` in nanoseconds; negative for one that is none. */
function nanoseconds(words: Int32Array, at: number): number {
  const seconds = (words[at] >>> 0) + words[at + 1] * 2 ** 32;
  const rest = words[at + 2];
  if (words[at + 3] !== 0 || rest < 0 || rest >= NS_PER_S) return -1;
  return seconds * NS_PER_S + rest;
}
