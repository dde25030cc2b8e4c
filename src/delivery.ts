/**
 * What a kernel event does to the descriptor it is for: readiness is recorded,
 * one-shots are spent, handlers are queued. No handler runs here.
 *
 * @module
 */

import { EPOLLIN, EPOLLONESHOT, EPOLLOUT } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import {
  deactivate,
  queueError,
  queueRead,
  queueWrite,
  wish,
} from "./interest.ts";
import { isTroubled, note } from "./reported.ts";
import { BLOCKED, DISABLED, ONESHOT, SPENT } from "./states.ts";

/** Takes up the mask that the kernel reported for an event. */
export function deliver(event: FdEvent, mask: number): void {
  const readActive = event.readBits >= ONESHOT;
  const writeActive = event.writeBits >= ONESHOT;
  const disarmed = (event.kernel & EPOLLONESHOT) !== 0;
  if (disarmed) spend(event);
  note(event, mask);

  let delivered = false;
  if ((mask & EPOLLIN) !== 0) {
    event.readReady = true;
    if (readActive) {
      delivered = true;
      fireRead(event);
    } else if (repeats(event, event.readBits, disarmed)) event.disableRead();
  }
  if ((mask & EPOLLOUT) !== 0) {
    event.writeReady = true;
    if (writeActive) {
      delivered = true;
      fireWrite(event);
    } else if (repeats(event, event.writeBits, disarmed)) event.disableWrite();
  }
  if (delivered || !isTroubled(event)) return;
  if ((mask & (EPOLLIN | EPOLLOUT)) === 0) {
    hangUp(event, readActive, writeActive, disarmed);
  } else {
    // What was reported is muted, and the other direction won't block now.
    if (readActive) fireRead(event);
    if (writeActive) fireWrite(event);
  }
}

/** Queues the read handler, and spends a one-shot that the kernel did not. */
function fireRead(event: FdEvent): void {
  queueRead(event);
  if (event.readBits !== ONESHOT) return;
  event.readBits = DISABLED;
  wish(event);
}

/** Queues the write handler likewise. */
function fireWrite(event: FdEvent): void {
  queueWrite(event);
  if (event.writeBits !== ONESHOT) return;
  event.writeBits = DISABLED;
  wish(event);
}

/** ERR or HUP that no read or write handler will be told of. */
function hangUp(
  event: FdEvent,
  readActive: boolean,
  writeActive: boolean,
  disarmed: boolean,
): void {
  event.readReady = true;
  event.writeReady = true;
  if (!readActive && !writeActive) {
    // The kernel reports ERR and HUP of whatever it has, asked or not.
    if (event.rules.repeats && !disarmed) deactivate(event);
    return;
  }
  if (event.handlers.error !== undefined) {
    deactivate(event);
    queueError(event, null);
    return;
  }
  if (readActive) fireRead(event);
  if (writeActive) fireWrite(event);
}

/** The kernel has disarmed a one-shot: any event spends it. */
function spend(event: FdEvent): void {
  event.kernel = SPENT;
  event.wanted = SPENT;
}

/** Whether a muted direction would be reported again on every wait. */
function repeats(event: FdEvent, state: number, disarmed: boolean): boolean {
  return state === BLOCKED && event.rules.repeats && !disarmed;
}
