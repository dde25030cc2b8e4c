/** Running a program again with the bytes of its own /proc files. @module */

import { cString } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { processes } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { addressOf } from "./vectors.ts";

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
