/** A table of system calls of which some fail when the test says so. */
import { systemCalls } from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";

/** The real calls, with some of them replaced. */
export function replacing(replacements: Partial<SystemCalls>): SystemCalls {
  return { ...systemCalls, ...replacements };
}
