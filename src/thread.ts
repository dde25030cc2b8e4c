/**
 * Which thread of this process is which, across the reuse of thread ids.
 *
 * @module
 */

import { ENOENT, ESRCH, SystemError } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { type ProcCalls, readProc } from "./proc.ts";

/** The calls that tell threads apart. */
export type ThreadCalls = ProcCalls & Pick<SystemCalls, "gettid">;

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
  try {
    const stat = readProc(calls, `/proc/self/task/${tid}/stat`);
    return parseStartTime(new TextDecoder().decode(stat));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { errno } = error;
    return errno === ENOENT || errno === ESRCH ? GONE : UNKNOWN;
  }
}

/** From `TID (NAME) STATE …`, where the name may hold anything. */
function parseStartTime(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? GONE : Number(fields[START_TIME]);
}
