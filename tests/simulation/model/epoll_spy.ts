/** Tells a model, as it happens, what an engine and epoll say to each other. */
import { EpollEvents } from "../../../ffi/mod.ts";
import type { EventWords, SystemCalls } from "../../../ffi/system_calls.ts";

/** Told of the engine's own calls; a key names what an entry is for. */
export interface EpollObserver {
  /** epoll_ctl has answered; DEL has neither key nor mask. */
  changed(
    operation: number,
    fd: number,
    key: string,
    mask: number,
    result: number,
  ): void;
  /** epoll_wait has reported an entry. */
  reported(key: string, mask: number): void;
}

/** More than any engine under test asks for at a time. */
const EVENTS_MAX = 64;

/** A table that passes everything on to `calls`, and tells `observer`. */
export function spied(
  calls: SystemCalls,
  observer: EpollObserver,
): SystemCalls {
  const events = new EpollEvents(EVENTS_MAX);
  const key = (index: number) =>
    `${events.slot(index)}:${events.generation(index)}`;
  const copy = (words: EventWords) =>
    events.words.set(words.subarray(0, events.words.length));
  const tell = (words: EventWords, count: number) => {
    if (count > 0) copy(words);
    for (let index = 0; index < count; index++) {
      observer.reported(key(index), events.mask(index));
    }
    return count;
  };
  return {
    ...calls,
    epoll_ctl(epfd, operation, fd, event) {
      const result = calls.epoll_ctl(epfd, operation, fd, event);
      if (event !== null) copy(event);
      const [name, mask] = event === null ? ["", 0] : [key(0), events.mask(0)];
      observer.changed(operation, fd, name, mask, result);
      return result;
    },
    epoll_wait: (epfd, words, max, timeoutMs) =>
      tell(words, calls.epoll_wait(epfd, words, max, timeoutMs)),
    epoll_pwait2: (epfd, words, max, timeoutMs) =>
      tell(words, calls.epoll_pwait2(epfd, words, max, timeoutMs)),
  };
}
