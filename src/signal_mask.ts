/**
 * Which signals the threads of this process block. One that all of them block
 * waits to be received; one that any of them does not block acts on that
 * thread, which for most signals ends the process.
 *
 * @module
 */

import {
  ENOENT,
  ESRCH,
  SIG_BLOCK,
  SIG_UNBLOCK,
  sigismember,
  sigset,
  sigset_t,
  SystemError,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { listProc, type ProcCalls, readProc } from "./proc.ts";

/** The calls that masks take. */
export type MaskCalls = ProcCalls & Pick<SystemCalls, "pthread_sigmask">;

/** A thread, by its kernel id and its name. */
export interface ThreadName {
  readonly tid: number;
  readonly name: string;
}

/**
 * The threads of this process that do not block all of these signals.
 *
 * @throws {SystemError} If /proc/self/task can't be read.
 */
export function threadsNotBlocking(
  calls: ProcCalls,
  numbers: readonly number[],
): ThreadName[] {
  const wanted = numbers.reduce((mask, n) => mask | 1n << BigInt(n - 1), 0n);
  const decoder = new TextDecoder();
  const open: ThreadName[] = [];
  for (const tid of listProc(calls, "/proc/self/task")) {
    const status = readStatus(calls, tid);
    if (status === null) continue;
    const text = decoder.decode(status);
    const blocked = BigInt(`0x${field(text, "SigBlk")}`);
    if ((blocked & wanted) === wanted) continue;
    open.push({ tid: Number(tid), name: field(text, "Name") });
  }
  return open;
}

/** Null for a thread that has ended since it was listed. */
function readStatus(calls: ProcCalls, tid: string): Uint8Array | null {
  try {
    return readProc(calls, `/proc/self/task/${tid}/status`);
  } catch (error) {
    const gone = error instanceof SystemError &&
      (error.errno === ENOENT || error.errno === ESRCH);
    if (gone) return null;
    throw error;
  }
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "0";
}

/** Whether this thread blocks all of these signals. */
export function blocksAll(
  calls: MaskCalls,
  numbers: readonly number[],
): boolean {
  const mask = sigset();
  setMask(calls, SIG_BLOCK, null, mask);
  return numbers.every((number) => sigismember(mask, number));
}

/**
 * Has this thread block signals.
 *
 * @returns Those that it did not block before.
 */
export function block(
  calls: MaskCalls,
  numbers: readonly number[],
): number[] {
  const before = new Uint8Array(sigset_t.size);
  setMask(calls, SIG_BLOCK, sigset(numbers), before);
  return numbers.filter((number) => !sigismember(before, number));
}

/** Has this thread block signals no longer. */
export function unblock(calls: MaskCalls, numbers: readonly number[]): void {
  setMask(calls, SIG_UNBLOCK, sigset(numbers), null);
}

function setMask(
  calls: MaskCalls,
  how: number,
  set: Uint8Array | null,
  before: Uint8Array | null,
): void {
  const result = calls.pthread_sigmask(how, set, before);
  if (result < 0) throw new SystemError("pthread_sigmask", result);
}

/** A signal that watches of this thread need blocked. */
interface Hold {
  count: number;
  /** Whether the thread did not block it before. */
  readonly added: boolean;
}

// A module's state is one thread's: an isolate stays on its thread for life.
const holds = new Map<number, Hold>();

/** Blocks a signal in this thread until it is released as often as held. */
export function hold(calls: MaskCalls, number: number): void {
  const held = holds.get(number);
  if (held !== undefined) {
    held.count++;
  } else {
    holds.set(number, { count: 1, added: block(calls, [number]).length === 1 });
  }
}

/** Whether the next release of a signal unblocks it. */
export function releaseUnblocks(number: number): boolean {
  const held = holds.get(number);
  return held !== undefined && held.count === 1 && held.added;
}

/** Undoes one hold; the last one restores the mask. */
export function release(calls: MaskCalls, number: number): void {
  const held = holds.get(number);
  if (held === undefined) return;
  held.count--;
  if (held.count > 0) return;
  holds.delete(number);
  if (held.added) unblock(calls, [number]);
}
