/** Processes, their threads, children and programs. @module */

import {
  cString,
  int32,
  type Memory,
  requireRoom,
  uint32,
} from "./arguments.ts";
import {
  SYS_gettid,
  SYS_pidfd_open,
  SYS_pidfd_send_signal,
} from "./constants.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { siginfo_t } from "./layout.ts";
import { children, processes } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { addressOf } from "./transfers.ts";

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

/**
 * waitid(2): fills a `siginfo_t` with how a child has ended, and takes it off
 * the kernel's list unless `options` has WNOWAIT. Returns 0, or the negative
 * errno. With WNOHANG `si_pid` stays as it is where no child has ended.
 */
export function waitid(
  idtype: number,
  id: number,
  info: Memory,
  options: number,
): number {
  requireRoom(info, siginfo_t.size, "siginfo_t");
  const result = children.c.waitid(
    int32(idtype),
    int32(id),
    info,
    int32(options),
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * execve(2), as `execve` does it, with arguments and environment as
 * /proc/PID/cmdline and /proc/PID/environ have them: strings of bytes, which
 * need not be UTF-8, each ended by a NUL. Returns only if it failed, with the
 * negative errno.
 */
export function execveBytes(
  path: string,
  cmdline: Bytes,
  environ: Bytes,
): number {
  const program = cString(path);
  const argv = pointers(cmdline);
  const envp = pointers(environ);
  processes.c.execve(program, argv, envp);
  return -(errnoView ?? errnoCopy())[0];
}

/** Where each string starts, with NULL at the end. */
function pointers(strings: Bytes): BigUint64Array {
  const base = addressOf(strings);
  const starts: bigint[] = [];
  let at = 0;
  while (at < strings.length) {
    starts.push(base + BigInt(at));
    at = strings.indexOf(0, at) + 1;
    if (at === 0) throw new RangeError("Cannot execute: a string has no end");
  }
  return BigUint64Array.from([...starts, 0n]);
}
