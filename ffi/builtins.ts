/**
 * Modules of Node.js that both runtimes have, loaded when they are first needed:
 * importing one takes 5 to 20 ms of a program's start (Deno 2.9.6).
 *
 * @module
 */

import type * as diagnosticsChannel from "node:diagnostics_channel";
import type * as path from "node:path";
import type nodeProcess from "node:process";
import type * as timers from "node:timers";
import type * as workerThreads from "node:worker_threads";

interface Builtins {
  "node:diagnostics_channel": typeof diagnosticsChannel;
  "node:path": typeof path;
  "node:timers": typeof timers;
  "node:worker_threads": typeof workerThreads;
}

/** @internal The process, as Node.js shows it. */
export function currentProcess(): typeof nodeProcess {
  return (globalThis as unknown as { process: typeof nodeProcess }).process;
}

/** @internal A module of Node.js. */
export function builtin<Name extends keyof Builtins>(
  name: Name,
): Builtins[Name] {
  return currentProcess().getBuiltinModule(name) as unknown as Builtins[Name];
}

let immediate: typeof timers.setImmediate | undefined;

/**
 * @internal `setImmediate()` alone: modules are had through the process, which
 * takes 1 MB of heap (Deno 2.9.6) that each collection has to mark.
 */
export function immediately(callback: () => void): void {
  immediate ??= (globalThis as unknown as Pick<typeof timers, "setImmediate">)
    .setImmediate;
  immediate(callback);
}
