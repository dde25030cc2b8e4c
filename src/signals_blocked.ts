/**
 * Having every thread of the process block signals, which a runtime whose
 * threads run already can't: the program is executed again, and its threads
 * inherit the mask.
 *
 * @module
 */

import {
  builtin,
  currentProcess,
  execveBytes,
  getpid,
  gettid,
  readlink,
  systemCalls,
  SystemError,
} from "../ffi/mod.ts";
import { readProc } from "./proc.ts";
import {
  block,
  blocksAll,
  threadsNotBlocking,
  unblock,
} from "./signal_mask.ts";
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
