/**
 * What the kernel has reported of a descriptor: the last mask, and what of
 * earlier ones lasts.
 *
 * @module
 */

import { EPOLLERR, EPOLLHUP, EPOLLPRI, EPOLLRDHUP } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";

/** The peer's end and urgent data do not pass. */
const LASTING = EPOLLRDHUP | EPOLLPRI;

/** Takes note of a mask. */
export function note(event: FdEvent, mask: number): void {
  event.reported = mask | (event.reported & LASTING);
}

/** Whether the last event had ERR or HUP. */
export function isTroubled(event: FdEvent): boolean {
  return (event.reported & (EPOLLERR | EPOLLHUP)) !== 0;
}

/** Whether the peer has shut down its sending. */
export function hasPeerEnded(event: FdEvent): boolean {
  return (event.reported & EPOLLRDHUP) !== 0;
}

/**
 * Whether a read that filled less than its buffer may have left something: an
 * end of file, or what is behind urgent data.
 */
export function readsShort(event: FdEvent): boolean {
  return (event.reported & LASTING) !== 0;
}
