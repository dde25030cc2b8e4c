/**
 * Blocks signals by executing itself again, and prints how it finds itself then.
 * Looks at itself through libc alone, as it may have no other permission.
 */
import process from "node:process";
import { text } from "node:stream/consumers";
import { readlink, systemCalls } from "../../ffi/mod.ts";
import { listProc, readProc } from "../../src/proc.ts";
import { withSignalsBlocked } from "../../mod.ts";

function textOf(path: string): string {
  return new TextDecoder().decode(readProc(systemCalls, path));
}

function linkTarget(path: string): string {
  const buffer = new Uint8Array(4096);
  const length = readlink(path, buffer);
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** The mask of each thread, as one number in hexadecimal. */
function masks(): string[] {
  const all = listProc(systemCalls, "/proc/self/task").map((tid) =>
    /SigBlk:\s*(\w+)/.exec(textOf(`/proc/self/task/${tid}/status`))?.[1] ?? ""
  );
  return [...new Set(all)];
}

const descriptors = listProc(systemCalls, "/proc/self/fd").length;
console.error(`start ${process.pid} ${descriptors}`);
withSignalsBlocked(["SIGUSR1", "SIGRTMIN+2"]);
withSignalsBlocked(["SIGRTMIN+2"]);
withSignalsBlocked([]);

console.log(JSON.stringify({
  pid: process.pid,
  args: process.argv.slice(2),
  cwd: linkTarget("/proc/self/cwd"),
  greeting: /(?:^|\0)GREETING=([^\0]*)/.exec(textOf("/proc/self/environ"))?.[1],
  stdin: await text(process.stdin),
  program: textOf("/proc/self/comm").trim(),
  masks: masks(),
}));
