/** The worker's side of `Thread`. */
import { readlinkSync } from "node:fs";
import type { ThreadMessage } from "./thread.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: ThreadMessage): void;
}

/** Does the one task that this worker is for. */
export function threadBody<Task>(body: (task: Task) => unknown): void {
  const scope = self as unknown as WorkerScope;
  scope.onmessage = ({ data }: MessageEvent<Task>) => {
    scope.postMessage({ tid: currentThread() });
    try {
      scope.postMessage({ result: body(data) });
    } catch (error) {
      scope.postMessage({ error: String((error as Error).stack ?? error) });
    }
  };
}

/** The kernel's id of this thread. */
export function currentThread(): number {
  return Number(readlinkSync("/proc/thread-self").split("/").at(-1));
}
