/** Says which thread it is, and stays. */
import { systemCalls } from "../../ffi/mod.ts";
import { currentThread } from "../../src/thread.ts";

interface Scope {
  postMessage(thread: bigint): void;
}

(globalThis as unknown as Scope).postMessage(currentThread(systemCalls));
