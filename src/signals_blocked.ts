/**
 * Which signals the threads of this process block. One that all of them block
 * waits to be received; one that any of them does not block acts on that
 * thread, which for most signals ends the process.
 *
 * A runtime whose threads run already can't have every thread block signals: the
 * program is executed again, and its threads inherit the mask.
 *
 * @module
 */

import {
  builtin,
  currentProcess,
  ENOENT,
  ESRCH,
  execveBytes,
  getpid,
  gettid,
  readlink,
  SIG_BLOCK,
  SIG_UNBLOCK,
  sigismember,
  sigset,
  sigset_t,
  type SystemCalls,
  systemCalls,
  SystemError,
} from "../ffi/mod.ts";
import { listProc, type ProcCalls, readProc } from "./proc.ts";
import { blockableNumber, type SignalName } from "./signal_names.ts";

/** Linux's limit for a path. */
const PATH_MAX = 4096;

/**
 * Makes sure that every thread of this process blocks these signals, as
 * {@linkcode Engine.signal} needs it. Where they do not yet, it blocks them and
 * executes the same program again in the same process, which starts over and
 * returns from here at once. So call it first of all, before anything is done
 * that must not be done twice. A signal that arrives before acts on the process
 * as ever.
 *
 * The new program has the same process id, arguments, environment (as at the
 * start), working directory and standard streams. What was read from standard
 * input before is lost; descriptors that are not close-on-exec stay open.
 *
 * ```ts ignore
 * import { Engine, withSignalsBlocked } from "@edgewise/epoll";
 *
 * withSignalsBlocked(["SIGHUP", "SIGTERM"]);
 *
 * using engine = new Engine();
 * engine.signal("SIGHUP", (info) => console.log(`reload, says ${info.pid}`));
 * engine.signal("SIGTERM", () => engine.stop());
 * engine.run();
 * ```
 *
 * The same from outside, where the program can't be executed again; env is GNU's,
 * of coreutils 8.31 or newer:
 *
 * ```sh
 * env --block-signal=HUP,TERM deno run --allow-ffi program.ts
 * ```
 *
 * Either way the mask is inherited by Workers and by child processes: a child
 * that neither unblocks nor receives SIGTERM is to be ended with SIGKILL.
 *
 * Works with `--allow-ffi` for the path of the C library alone, under `deno run`
 * and `deno eval`, in a program that `deno task` starts, and in Bun.
 *
 * @throws {TypeError} If there is no signal of a name, or it can't be blocked.
 * @throws {Error} Where the program can't be executed again: in a Worker, under
 * `deno test`, for a script on standard input or one that was named by a path
 * relative to another working directory, with an IPC channel. The message says
 * what to do instead.
 * @throws {SystemError} If execve(2) is refused.
 */
export function withSignalsBlocked(names: readonly SignalName[]): void {
  const numbers = names.map(blockableNumber);
  if (threadsNotBlocking(systemCalls, numbers).length === 0) return;
  const cmdline = readProc(systemCalls, "/proc/self/cmdline");
  const obstacle = findObstacle(argumentsOf(cmdline), numbers);
  if (obstacle !== null) {
    throw new Error(
      `Cannot block ${names.join(", ")} by executing the program again: ` +
        `${obstacle}. Start it with \`env --block-signal=${
          names.map((name) => name.slice("SIG".length)).join(",")
        } …\` instead, or use a SignalBridge`,
    );
  }
  const environ = readProc(systemCalls, "/proc/self/environ");
  const added = block(systemCalls, numbers);
  // The link leads on to a program whose file has been deleted or replaced.
  const paths = [linkTarget("/proc/self/exe"), "/proc/self/exe"];
  const failed = paths.map((path) => execveBytes(path, cmdline, environ));
  unblock(systemCalls, added);
  throw new SystemError("execve", failed[1], { address: paths[1] });
}

/** Why the program would not start over as it did; null: it would. */
function findObstacle(
  args: readonly string[],
  numbers: readonly number[],
): string | null {
  if (runsTests(args)) return "it is a test runner, which would start over";
  if (gettid() !== getpid()) {
    return "this is a Worker; call it on the main thread, at its start";
  }
  if (currentProcess().connected) return "its IPC channel would be lost";
  const script = scriptOf(args);
  if (script === "-") return "it came from standard input, which is read";
  if (isElsewhere(script)) {
    return `the working directory has changed, and ${script} is relative to it`;
  }
  // Executed again already, or else the mask was set by hand.
  if (blocksAll(systemCalls, numbers)) {
    return "other threads unblock them again";
  }
  return null;
}

function argumentsOf(cmdline: Uint8Array): string[] {
  return new TextDecoder().decode(cmdline).split("\0").slice(0, -1);
}

/** `deno test` and `deno bench` run their modules on threads of their own, `bun test` does not. */
function runsTests([, command]: readonly string[]): boolean {
  if (command !== "test" && command !== "bench") return false;
  if (currentProcess().versions.bun === undefined) return gettid() !== getpid();
  return currentProcess().env.NODE_ENV === "test";
}

/** What the runtime was given as the program, before the program's own arguments. */
function scriptOf(args: readonly string[]): string {
  return args.at(-1 - currentProcess().argv.slice(2).length) ?? "";
}

/** Whether a path no longer leads to the module that is running. */
function isElsewhere(script: string): boolean {
  const { basename, isAbsolute, resolve } = builtin("node:path");
  const running = currentProcess().argv[1] ?? "";
  if (!isAbsolute(running) || basename(script) !== basename(running)) {
    return false;
  }
  return resolve(linkTarget("/proc/self/cwd"), script) !== running;
}

// Not process.cwd(), for which Deno wants permission to read.
function linkTarget(link: string): string {
  const path = new Uint8Array(PATH_MAX);
  const length = readlink(link, path);
  if (length < 0) throw new SystemError("readlink", length, { address: link });
  return new TextDecoder().decode(path.subarray(0, length));
}

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
function unblock(calls: MaskCalls, numbers: readonly number[]): void {
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
