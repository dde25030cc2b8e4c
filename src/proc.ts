/**
 * This process and its threads as /proc shows them, threads across the reuse of
 * their ids. Read through libc: Deno's own file functions refuse /proc/self
 * without full permission (2.9).
 *
 * @module
 */

import {
  ENOENT,
  entryNames,
  ESRCH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  type SystemCalls,
  SystemError,
} from "../ffi/mod.ts";

/** The calls that reading /proc takes. */
export type ProcCalls = Pick<
  SystemCalls,
  "open" | "read" | "close" | "getdents64"
>;

const CHUNK_BYTES = 4096;

/**
 * The whole of a file.
 *
 * @throws {SystemError} Such as `ENOENT` or `ESRCH` where the process or thread
 * is gone.
 */
export function readProc(calls: ProcCalls, path: string): Uint8Array {
  return withOpen(calls, path, O_RDONLY, (fd) => {
    let bytes = new Uint8Array(CHUNK_BYTES);
    let length = 0;
    for (;;) {
      const count = calls.read(fd, bytes.subarray(length));
      if (count < 0) throw new SystemError("read", count, { address: path });
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length < bytes.length) continue;
      const larger = new Uint8Array(2 * bytes.length);
      larger.set(bytes);
      bytes = larger;
    }
  });
}

/**
 * The entries of a directory, without those of its own and of its parent.
 *
 * @throws {SystemError} Such as `ENOENT` where /proc is not mounted.
 */
export function listProc(calls: ProcCalls, path: string): string[] {
  return withOpen(calls, path, O_RDONLY | O_DIRECTORY, (fd) => {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const names: string[] = [];
    for (;;) {
      const count = calls.getdents64(fd, buffer);
      if (count < 0) {
        throw new SystemError("getdents64", count, { address: path });
      }
      if (count === 0) return names.filter((name) => !/^\.\.?$/.test(name));
      names.push(...entryNames(buffer.subarray(0, count)));
    }
  });
}

function withOpen<T>(
  calls: ProcCalls,
  path: string,
  flags: number,
  use: (fd: number) => T,
): T {
  const fd = calls.open(path, flags | O_CLOEXEC);
  if (fd < 0) throw new SystemError("open", fd, { address: path });
  try {
    return use(fd);
  } finally {
    calls.close(fd);
  }
}

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
