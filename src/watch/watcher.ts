/**
 * How an engine is watched: what is to be seen is put in the place of methods of
 * its parts when it is made. An engine that nobody watches has nothing of it on
 * its way from the kernel to a handler, not even a branch.
 *
 * @module
 */

import type { SystemCalls } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { Loop } from "../loop.ts";

/** One way to watch an engine. */
export interface Watcher {
  /** The system calls to use instead of `calls`. */
  calls(calls: SystemCalls): SystemCalls;
  /** Puts itself in the place of the loop's methods. */
  attach(loop: Loop): void;
}

/** The names of an object's methods. */
type MethodOf<Target> = {
  [Name in keyof Target]: Target[Name] extends (...values: never[]) => unknown
    ? Name
    : never;
}[keyof Target];

/**
 * Puts a method of one object into another's place: `around` is given the one
 * that there was.
 */
export function intercept<Target extends object, Name extends MethodOf<Target>>(
  target: Target,
  name: Name,
  around: (inner: Target[Name]) => Target[Name],
): void {
  const inner = target[name] as unknown as (...values: unknown[]) => unknown;
  const value = around(inner.bind(target) as unknown as Target[Name]);
  Object.defineProperty(target, name, { value, configurable: true });
}

/** `"user"` for what the user has registered, else the class that opened it. */
export function ownerOf({ handlers }: FdEvent): string {
  return "engineClosed" in handlers ? handlers.owner : "user";
}
