/** System calls as the kernel sees them, counted by strace(1). */
import { denoArgs, Program, type ProgramOptions } from "./process.ts";
import { test } from "./descriptors.ts";

/** One system call of a traced program. */
export interface TracedCall {
  thread: number;
  name: string;
  /** The arguments as strace prints them. */
  args: string;
  /** The first argument; NaN where it is not a number. */
  fd: number;
  /** The result; NaN where the call never returned. */
  result: number;
  /** The name of the error, such as `EAGAIN`; empty where there is none. */
  error: string;
}

/** What a traced program did. */
export interface Trace {
  calls: TracedCall[];
  stdout: string;
}

/** Whether strace(1) is installed. */
const hasStrace: boolean = installed();

/**
 * A test that counts by strace(1). On a machine without strace it is reported
 * as ignored; continuous integration installs it and allows no ignored test.
 */
export function straceTest(name: string, fn: () => Promise<void>): void {
  if (hasStrace) test(name, fn);
  else Deno.test({ name, ignore: true, fn });
}

/** Runs a script to its end, and returns its calls of the given names. */
export async function trace(
  script: string,
  names: string[],
  options: ProgramOptions = {},
): Promise<Trace> {
  const file = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
  try {
    const filter = `trace=${names.join(",")}`;
    const strace = ["-f", "-qq", "-e", filter, "-e", "signal=none", "-o", file];
    const deno = [Deno.execPath(), ...denoArgs(script, options)];
    await using program = new Program("strace", [...strace, ...deno], options);
    const { code, stdout, stderr } = await program.finished();
    if (code !== 0) {
      throw new Error(`${script} ended with status ${code}\n${stderr}`);
    }
    return { calls: parseTrace(await Deno.readTextFile(file)), stdout };
  } finally {
    await Deno.remove(file);
  }
}

/**
 * Lines such as `4711 epoll_ctl(5, EPOLL_CTL_DEL, 7, NULL) = -1 ENOENT (…)`. A
 * call that another thread interrupts is split over two lines.
 */
export function parseTrace(text: string): TracedCall[] {
  const started = new Map<number, string>();
  const calls: TracedCall[] = [];
  for (const line of text.split("\n")) {
    const [, pid, rest] = line.match(/^(\d+)\s+(.*)$/) ?? [];
    if (pid === undefined || rest === undefined) continue;
    const thread = Number(pid);
    const unfinished = rest.match(/^(.*?)\s*<unfinished \.\.\.>$/);
    if (unfinished) {
      started.set(thread, unfinished[1] ?? "");
      continue;
    }
    const resumed = rest.match(/^<\.\.\. \w+ resumed>(.*)$/);
    const whole = resumed ? (started.get(thread) ?? "") + resumed[1] : rest;
    started.delete(thread);
    const call = parseCall(thread, whole);
    if (call !== null) calls.push(call);
  }
  return calls;
}

function parseCall(thread: number, text: string): TracedCall | null {
  const match = text.match(/^(\w+)\((.*)\)\s+=\s+(-?\w+|\?)(?:\s+([A-Z]\w+))?/);
  if (match === null) return null;
  const [, name = "", args = "", result = "", error = ""] = match;
  const fd = Number(args.match(/^-?\d+(?=,|$)/)?.[0] ?? NaN);
  return { thread, name, args, fd, result: Number(result), error };
}

function installed(): boolean {
  try {
    const version = new Deno.Command("strace", {
      args: ["-V"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return version.outputSync().success;
  } catch {
    return false;
  }
}
