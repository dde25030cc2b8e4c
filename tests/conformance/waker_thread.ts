/** Makes a descriptor ready, each time that another thread has waited a while. */
import { add } from "./files.ts";
import { awaitWord, waitsFor, waitUntil } from "./thread.ts";
import { threadBody } from "./thread_body.ts";

/** What the waker is to do. */
export interface WakerTask {
  /** The thread that waits, and what it waits for. */
  tid: number;
  epfd: number;
  /** The eventfd that ends each of its waits. */
  eventfd: number;
  waits: number;
  /** One word: the waits that it is about to enter, or has entered. */
  entered: Int32Array<SharedArrayBuffer>;
}

/** A timeout that wrapped to a few milliseconds would have passed. */
const LASTING_MS = 15;

threadBody(({ tid, epfd, eventfd, waits, entered }: WakerTask) => {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let wait = 1; wait <= waits; wait++) {
    awaitWord(entered, 0, wait);
    waitUntil(() => waitsFor(tid) === epfd, `thread ${tid} did not wait`);
    Atomics.wait(pause, 0, 0, LASTING_MS);
    if (waitsFor(tid) !== epfd) throw new Error("it waited no longer");
    add(eventfd);
  }
});
