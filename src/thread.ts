/**
 * Which thread of this process is which, across the reuse of thread ids.
 *
 * @module
 */

import { ENOENT, ESRCH, O_CLOEXEC, O_RDONLY } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";

/** The calls that tell threads apart. */
export type ThreadCalls = Pick<
  SystemCalls,
  "gettid" | "open" | "read" | "close"
>;

/** Linux gives out thread ids below 2^22. */
const TID_BITS = 22n;

/** Where field 22, the start time, stands after the name, which is field 2. */
const START_TIME = 22 - 3;

const GONE = -1;
const UNKNOWN = 0;

/**
 * This thread, as one number that no other thread of the process ever has: its
 * kernel id and the clock tick at which it started.
 */
export function currentThread(calls: ThreadCalls): bigint {
  const tid = calls.gettid();
  const startTime = Math.max(UNKNOWN, readStartTime(calls, tid));
  return BigInt(startTime) << TID_BITS | BigInt(tid);
}

/**
 * Whether a thread that `currentThread` named has ended for certain. Without
 * /proc nothing is certain.
 */
export function isThreadGone(calls: ThreadCalls, thread: bigint): boolean {
  const startTime = Number(thread >> TID_BITS);
  if (startTime === UNKNOWN) return false;
  const tid = threadId(thread);
  const now = readStartTime(calls, tid);
  return now !== UNKNOWN && now !== startTime;
}

/** The kernel id of a thread that `currentThread` named. */
export function threadId(thread: bigint): number {
  return Number(BigInt.asUintN(Number(TID_BITS), thread));
}

/** The start time of a thread in clock ticks, `GONE` or `UNKNOWN`. */
function readStartTime(calls: ThreadCalls, tid: number): number {
  // Through libc: Deno's own file functions refuse /proc/self without full permission.
  const path = `/proc/self/task/${tid}/stat`;
  const fd = calls.open(path, O_RDONLY | O_CLOEXEC);
  if (fd === -ENOENT || fd === -ESRCH) return GONE;
  if (fd < 0) return UNKNOWN;
  const buffer = new Uint8Array(1024);
  const count = calls.read(fd, buffer);
  calls.close(fd);
  if (count === -ESRCH) return GONE;
  if (count <= 0) return UNKNOWN;
  return parseStartTime(new TextDecoder().decode(buffer.subarray(0, count)));
}

/** From `TID (NAME) STATE …`, where the name may hold anything. */
function parseStartTime(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? GONE : Number(fields[START_TIME]);
}
