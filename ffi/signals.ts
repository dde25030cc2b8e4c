/** Signals. @module */

import { int32, requireRoom } from "./arguments.ts";
import { SYS_tgkill } from "./constants.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { sigset_t } from "./layout.ts";
import { signals } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** The C library's `sigset_t` that holds these signals. */
export function sigset(numbers: Iterable<number> = []): Bytes {
  const set = new Uint8Array(sigset_t.size);
  for (const number of numbers) {
    if (!Number.isInteger(number) || number < 1 || number > 64) {
      throw new RangeError(
        `Cannot add a signal to a set: it must be from 1 to 64, the current value is ${number}`,
      );
    }
    set[number - 1 >> 3] |= 1 << (number - 1 & 7);
  }
  return set;
}

/** Whether a `sigset_t` holds a signal. */
export function sigismember(set: Bytes, number: number): boolean {
  return (set[number - 1 >> 3] >> (number - 1 & 7) & 1) === 1;
}

/**
 * signalfd(2): a descriptor that reads the signals of `mask`, 128 bytes of
 * `struct signalfd_siginfo` each. -1 as `fd` makes a new one. Every thread of
 * the process must block them. Returns the descriptor, or the negative errno.
 */
export function signalfd(fd: number, mask: Bytes, flags = 0): number {
  requireRoom(mask, sigset_t.size, "sigset_t");
  const made = signals.c.signalfd(int32(fd), mask, int32(flags));
  return made < 0 ? -(errnoView ?? errnoCopy())[0] : made;
}

/**
 * pthread_sigmask(3) of the calling thread alone. With null as `set` it only
 * fills `old`. Returns 0, or the negative errno.
 */
export function pthread_sigmask(
  how: number,
  set: Bytes | null,
  old: Bytes | null = null,
): number {
  if (set !== null) requireRoom(set, sigset_t.size, "sigset_t");
  if (old !== null) requireRoom(old, sigset_t.size, "sigset_t");
  // It returns the error number, and leaves errno alone.
  return 0 - signals.c.pthread_sigmask(int32(how), set, old);
}

/** kill(2). Signal 0 only asks whether it could be sent. Returns 0, or the negative errno. */
export function kill(pid: number, signal: number): number {
  const result = signals.c.kill(int32(pid), int32(signal));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** tgkill(2): a signal to one thread of a process. Returns 0, or the negative errno. */
export function tgkill(pid: number, tid: number, signal: number): number {
  const result = signals.c.tgkill(
    SYS_tgkill,
    int32(pid),
    int32(tid),
    int32(signal),
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** sigqueue(3): a signal with a 32-bit value. Returns 0, or the negative errno. */
export function sigqueue(pid: number, signal: number, value: number): number {
  const result = signals.c.sigqueue(int32(pid), int32(signal), int32(value));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
