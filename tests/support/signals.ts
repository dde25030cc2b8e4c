/** Programs with a signal mask of their own, and signals sent to them. */
import { check, kill, sigqueue, tgkill } from "../../ffi/mod.ts";
import { readdirSync, readFileSync } from "node:fs";
import { denoArgs, Program, type ProgramOptions } from "./process.ts";

/** Starts a script with signals blocked in all its threads, such as `USR1`. */
export function blocking(
  signals: string[],
  script: string,
  options: ProgramOptions = {},
): Program {
  return new Program("env", [
    `--block-signal=${signals.join(",")}`,
    Deno.execPath(),
    ...denoArgs(script, options),
  ], options);
}

/** Sends a signal by number, to the whole process or to one of its threads. */
export function send(pid: number, number: number, tid?: number): void {
  if (tid === undefined) check(kill(pid, number), "kill");
  else check(tgkill(pid, tid, number), "tgkill");
}

/** Sends a real-time signal with a value. */
export function sendValue(pid: number, number: number, value: number): void {
  check(sigqueue(pid, number, value), "sigqueue");
}

/** The threads of a process, its main one first. */
export function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number).sort((a, b) => a - b);
}

/** A field of /proc/PID/status, or of a thread's. */
export function statusOf(pid: number, field: string, tid = pid): string {
  const status = readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8");
  const line = new RegExp(`^${field}:\\s*(.*)$`, "m").exec(status);
  if (line === null) throw new Error(`No ${field} in ${status}`);
  return line[1] as string;
}
