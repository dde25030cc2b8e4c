/**
 * Descriptors that the engine's own parts are woken by. One that the kernel
 * can't watch for want of memory, or of the user's watches, is tried again.
 *
 * @module
 */

import {
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ENOSPC,
  type SystemError,
} from "../ffi/mod.ts";
import { FdEvent } from "./fd_event.ts";
import type { OwnHandlers } from "./fd_handlers.ts";
import type { EngineParts } from "./parts.ts";
import { Timer } from "./timers.ts";
import type { TriggerRules } from "./trigger.ts";

/** How long to rest when the process or the system is out of something. */
export const EXHAUSTED_PAUSE_MS = 100;

/** Whether a call failed for want of descriptors, memory, or watches of epoll. */
export function isExhaustion(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE || errno === ENOBUFS ||
    errno === ENOMEM || errno === ENOSPC;
}

/**
 * Registers a descriptor for reading. If it can't be watched for now, `onError`
 * is told once, with `source`, or the event where there is none.
 */
export function watchOwn(
  parts: EngineParts,
  fd: number,
  rules: TriggerRules,
  { owner, read, engineClosed }: OwnHandlers,
  source?: object,
): FdEvent {
  let told = false;
  const error = (event: FdEvent, error: SystemError | null): void => {
    // Reading says what the trouble is.
    if (error === null) return read?.(event);
    if (!isExhaustion(error.errno)) throw error;
    if (!told) parts.report(error, source ?? event);
    told = true;
    const again = () => {
      if (!event.closed) event.enableRead();
    };
    new Timer(parts, EXHAUSTED_PAUSE_MS, again, false, 0);
  };
  const handlers: OwnHandlers = {
    owner,
    ...(read === undefined ? {} : { read }),
    error,
    engineClosed,
  };
  const event = new FdEvent(fd, handlers, parts, rules);
  parts.registry.add(event);
  event.enableRead();
  return event;
}
