/**
 * What is called for a descriptor.
 *
 * @module
 */

import type { SystemError } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";

/**
 * What to call for a descriptor. A handler may be called when there is nothing
 * to read or no room to write, never the other way round: it has to expect
 * would-block.
 */
export interface FdHandlers {
  /** There is something to read, an end of file and an error included. */
  read?(event: FdEvent): void;
  /** There is room to write, or writing has become pointless. */
  write?(event: FdEvent): void;
  /**
   * The kernel refused a change (`error` says which, both directions are
   * inactive), or reported ERR or HUP with nothing to read or write (`error` is
   * null, both directions are inactive).
   */
  error?(event: FdEvent, error: SystemError | null): void;
}

/** Handlers of the engine's own parts. */
export interface OwnHandlers extends FdHandlers {
  /** The public class that the descriptor belongs to. */
  readonly owner: string;
  /** The engine is closing; the event's owner closes the event. */
  engineClosed(event: FdEvent): void;
}
