/**
 * Whose a descriptor is.
 *
 * @module
 */

import type { FdEvent } from "../fd_event.ts";

/** `"user"` for what the user has registered, else the class that opened it. */
export function ownerOf({ handlers }: FdEvent): string {
  return "engineClosed" in handlers ? handlers.owner : "user";
}
