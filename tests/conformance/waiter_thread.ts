/** Waits on an epoll descriptor without an engine, and counts the events. */
import { check, epoll_wait, EpollEvents } from "../../ffi/mod.ts";
import { raiseWord } from "./thread.ts";
import { threadBody } from "./thread_body.ts";

/** What the waiter is to do. */
export interface WaiterTask {
  epfd: number;
  /** The events to wait for. */
  events: number;
  /** One word: the events so far. */
  counted: Int32Array<SharedArrayBuffer>;
}

threadBody(({ epfd, events, counted }: WaiterTask) => {
  const buffer = new EpollEvents(16);
  let total = 0;
  while (total < events) {
    total += check(
      epoll_wait(epfd, buffer.words, buffer.eventsMax, -1),
      "epoll_wait",
    );
    raiseWord(counted, 0, total);
  }
  return total;
});
