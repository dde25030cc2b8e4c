/**
 * What a worker with an engine tells the thread that started it.
 *
 * @module
 */

import { SystemError } from "../ffi/mod.ts";
import type { InboxAddress } from "./mailbox.ts";

/** A message from the worker, beside what its own code may post. */
export type WorkerReport =
  /** It waits for what it is to be started with. */
  | { readonly edgewise: "begun" }
  /** Its engine is about to run. */
  | {
    readonly edgewise: "ready";
    readonly control: InboxAddress;
    readonly value: unknown;
  }
  /** Its engine has stopped and is closed. */
  | { readonly edgewise: "stopped" }
  | { readonly edgewise: "failed"; readonly failure: Failure };

/** An error on its way: structured clone keeps neither its class nor its fields. */
interface Failure {
  readonly error: unknown;
  /** Of a SystemError. */
  readonly system?: Pick<SystemError, "syscall" | "errno" | "fd" | "address">;
}

/** Reports a failure, whatever was thrown. */
export function failedReport(error: unknown): WorkerReport {
  if (error instanceof SystemError) {
    return {
      edgewise: "failed",
      failure: { error: null, system: { ...error } },
    };
  }
  try {
    structuredClone(error);
    return { edgewise: "failed", failure: { error } };
  } catch {
    // A function, say, or an error that holds one.
    return { edgewise: "failed", failure: { error: new Error(String(error)) } };
  }
}

/** What was thrown, as far as it came through. */
export function reportedError({ error, system }: Failure): unknown {
  if (system === undefined) return error;
  return new SystemError(system.syscall, system.errno, system);
}
