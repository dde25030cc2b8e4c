/** Workers that block, and what can be known about them from outside. */
import { readFileSync } from "node:fs";
import { PATIENCE_MS } from "./files.ts";

/** What a worker tells: its thread, then how its work ended. */
export type ThreadMessage =
  | { tid: number }
  | { result: unknown }
  | { error: string };

/**
 * A worker that does one task without yielding. It ends by itself; a worker
 * that is blocked can't be ended from outside.
 */
export class Thread<Result = unknown> {
  /** The kernel's id of the thread. */
  readonly tid: number;
  /** What its task returned. */
  readonly result: Promise<Result>;

  private constructor(tid: number, result: Promise<Result>) {
    this.tid = tid;
    this.result = result;
  }

  /** Starts a script of this folder, and waits until it begins with its task. */
  static async start<Result>(
    script: string,
    task: unknown,
  ): Promise<Thread<Result>> {
    const worker = new Worker(new URL(script, import.meta.url), {
      type: "module",
    });
    const started = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<Result>();
    const fail = (reason: string) => {
      const error = new Error(`${script}: ${reason}`);
      started.reject(error);
      ended.reject(error);
      worker.terminate();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message);
    };
    worker.onmessage = ({ data }: MessageEvent<ThreadMessage>) => {
      if ("tid" in data) return started.resolve(data.tid);
      if ("error" in data) return fail(data.error);
      ended.resolve(data.result as Result);
      worker.terminate();
    };
    // Whoever asks for the result gets the error; nobody has to.
    ended.promise.catch(() => {});
    worker.postMessage(task);
    return new Thread(await started.promise, ended.promise);
  }

  /** Waits until the thread is in epoll_wait(2) or one of its like. */
  untilWaiting(): void {
    waitUntil(
      () => waitsFor(this.tid) !== -1,
      `thread ${this.tid} never waited for events`,
    );
  }
}

/** epoll_wait, epoll_pwait, epoll_pwait2 of x86-64; epoll_pwait of aarch64. */
const WAITS = new Set([232, 281, 441, 22]);

/** The epoll descriptor that a thread of this process waits for, or -1. */
export function waitsFor(tid: number): number {
  // The number of the system call, then its arguments in hex; or `running`.
  const call = readFileSync(`/proc/self/task/${tid}/syscall`, "utf8");
  const [number, epfd] = call.split(" ");
  return WAITS.has(Number(number)) ? Number(epfd) : -1;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Looks again and again, with this thread blocked, until `condition` holds. */
export function waitUntil(condition: () => boolean, message: string): void {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(message);
    Atomics.wait(pause, 0, 0, 1);
  }
}

/** Shared words, all 0: what threads tell each other while they are blocked. */
export function sharedWords(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * count));
}

/** Looks that cost less than being put to sleep and woken again. */
const SPINS = 2_000;

/** Waits until a word has reached a value. */
export function awaitWord(
  words: Int32Array<SharedArrayBuffer>,
  index: number,
  value: number,
): void {
  for (let spins = 0; spins < SPINS; spins++) {
    if (Atomics.load(words, index) >= value) return;
  }
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const current = Atomics.load(words, index);
    if (current >= value) return;
    if (performance.now() > deadline) {
      throw new Error(`A word stayed at ${current}, below ${value}`);
    }
    Atomics.wait(words, index, current, 1_000);
  }
}

/** Sets a word, and wakes who waits for it. */
export function raiseWord(
  words: Int32Array<SharedArrayBuffer>,
  index: number,
  value: number,
): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index);
}
