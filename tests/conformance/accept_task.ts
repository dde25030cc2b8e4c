/** What the tests tell an engine of accept_thread.ts, and it tells them. */
import type { Trigger } from "../../mod.ts";

/** What the words say: engines ready, told, stalled; connections; the way on. */
export const READY = 0;
export const TOLD = 1;
export const STALLED = 2;
export const ACCEPTED = 3;
export const GO_ON = 4;
export const WORDS = 5;

/** What the engine is to do. */
export interface AcceptTask {
  listener: number;
  /** An eventfd that ends it. */
  stop: number;
  trigger: Trigger;
  exclusive: boolean;
  /**
   * `"tell"` accepts nothing; with `"stall"` the first that is told stalls, and
   * the others accept; `"listen"` accepts with a listener of the engine.
   */
  mode: "tell" | "stall" | "listen";
  words: Int32Array<SharedArrayBuffer>;
}
