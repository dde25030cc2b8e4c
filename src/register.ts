/**
 * Taking a descriptor of the user's into an engine.
 *
 * @module
 */

import { FdEvent } from "./fd_event.ts";
import type { FdHandlers } from "./fd_handlers.ts";
import type { EngineParts } from "./parts.ts";

/** Checks what it is given; see {@linkcode Engine.register}. */
export function register(
  parts: EngineParts,
  fd: number,
  handlers: FdHandlers,
): FdEvent {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) {
    throw new RangeError(
      `Cannot register a descriptor: it must be an integer from 0 to 2147483647, and is ${fd}`,
    );
  }
  if (typeof handlers !== "object" || handlers === null) {
    throw new TypeError(
      `Cannot register descriptor ${fd}: its handlers are ${handlers}`,
    );
  }
  if (parts.registry.byFd(fd) !== null) {
    throw new Error(
      `Cannot register descriptor ${fd}: it is registered already, and its event is not closed`,
    );
  }
  // Adding 0 makes 0 of -0, which the FFI refuses as an integer (Deno 2.9.6).
  const event = new FdEvent(fd + 0, handlers, parts);
  parts.registry.add(event);
  return event;
}
