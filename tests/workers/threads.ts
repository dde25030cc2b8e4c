/** Says which thread it is, and stays. */
import { systemCalls } from "../../ffi/mod.ts";
import { currentThread } from "../../src/proc.ts";

interface Scope {
  postMessage(thread: bigint): void;
}

(globalThis as unknown as Scope).postMessage(currentThread(systemCalls));

// Keeps it alive until it is ended: Bun ends a worker with nothing left to do.
addEventListener("message", () => {});
