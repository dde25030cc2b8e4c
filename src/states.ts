/**
 * The state of one direction of a descriptor, and the mask that the kernel
 * should have for a pair of them. NGINX Unit's states, in its order.
 *
 * @module
 */

import { EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT } from "../ffi/mod.ts";

/**
 * The state of a direction as `FdEvent.readState` and `writeState` name it.
 *
 * - `"inactive"`: not in the kernel.
 * - `"disabled"`: in the kernel, spent by a one-shot.
 * - `"blocked"`: armed in the kernel, muted by the application.
 * - `"oneshot"`: armed for one event.
 * - `"active"`: armed.
 */
export type EventState =
  | "inactive"
  | "disabled"
  | "blocked"
  | "oneshot"
  | "active";

/** Not in the kernel. */
export const INACTIVE = 0;
/** In the kernel, spent by a one-shot. */
export const DISABLED = 1;
/** Armed in the kernel, muted by the application. */
export const BLOCKED = 2;
/** Armed for one event. From here on upwards a direction counts as active. */
export const ONESHOT = 3;
/** Armed. */
export const ACTIVE = 4;

/** The public names, by state. */
export const STATE_NAMES: readonly EventState[] = [
  "inactive",
  "disabled",
  "blocked",
  "oneshot",
  "active",
];

/** A wish or a kernel mask that means: no entry in the interest list. */
export const ABSENT = 0;

/** What the kernel keeps of an entry once a one-shot is spent. */
export const SPENT = EPOLLONESHOT;

/** The mask of an accept entry: level-triggered, and waking as few as it can. */
export const ACCEPT = EPOLLIN | EPOLLEXCLUSIVE;

/**
 * The mask that the kernel should have for a pair of states. A blocked
 * direction stays armed. A one-shot beside an armed direction can't use
 * EPOLLONESHOT, which disarms both: the engine disarms it when it is spent.
 */
export function wishFor(read: number, write: number, mode: number): number {
  const interest = (read >= BLOCKED ? EPOLLIN : 0) |
    (write >= BLOCKED ? EPOLLOUT : 0);
  if (interest === 0) {
    return read === INACTIVE && write === INACTIVE ? ABSENT : SPENT;
  }
  if (
    (interest === EPOLLIN && read === ONESHOT) ||
    (interest === EPOLLOUT && write === ONESHOT)
  ) {
    return interest | EPOLLONESHOT;
  }
  return interest | mode;
}
