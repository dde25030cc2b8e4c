/** Processes and threads. @module */

import { cString, int32, uint32 } from "./arguments.ts";
import {
  SYS_gettid,
  SYS_pidfd_open,
  SYS_pidfd_send_signal,
} from "./constants.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { processes } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { addressOf } from "./vectors.ts";

/** getpid(2). */
export function getpid(): number {
  return processes.c.getpid();
}

/** gettid(2): the number of the calling thread. */
export function gettid(): number {
  return processes.c.gettid(SYS_gettid);
}

/**
 * pidfd_open(2), Linux 5.3: a descriptor of a process, readable once it has
 * ended. Returns the descriptor, or the negative errno.
 */
export function pidfd_open(pid: number, flags = 0): number {
  const fd = processes.c.pidfd_open(SYS_pidfd_open, int32(pid), uint32(flags));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/**
 * pidfd_send_signal(2), Linux 5.1: a signal to the very process that was
 * opened. Returns 0, or the negative errno.
 */
export function pidfd_send_signal(pidfd: number, signal: number): number {
  const result = processes.c.pidfd_send_signal(
    SYS_pidfd_send_signal,
    int32(pidfd),
    int32(signal),
    null,
    0,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * execve(2): replaces the program of this process, and returns only if that
 * failed, with the negative errno. Descriptors that are not close-on-exec, the
 * signal mask and the process number stay.
 */
export function execve(
  path: string,
  args: readonly string[],
  environment: readonly string[],
): number {
  const program = cString(path);
  const argv = args.map(cString);
  const envp = environment.map(cString);
  const argvAddresses = addresses(argv);
  const envpAddresses = addresses(envp);
  processes.c.execve(program, argvAddresses, envpAddresses);
  return -(errnoView ?? errnoCopy())[0];
}

/** An array of pointers, with NULL at the end. */
function addresses(strings: readonly Bytes[]): BigUint64Array {
  const pointers = new BigUint64Array(strings.length + 1);
  strings.forEach((string, index) => pointers[index] = addressOf(string));
  return pointers;
}
