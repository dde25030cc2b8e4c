/**
 * What the engine wants of the kernel for a descriptor, and what of it waits in
 * the work queues.
 *
 * @module
 */

import type { SystemError } from "../ffi/mod.ts";
import type { FdEvent } from "./fd_event.ts";
import { ABSENT, ACCEPT, ACTIVE, INACTIVE, wishFor } from "./states.ts";
import {
  ACCEPT_QUEUE,
  ERROR_WORK,
  FAST,
  READ_WORK,
  WRITE_WORK,
} from "./work_queue.ts";

/** Works out the mask that the kernel should have, after states have changed. */
export function wish(event: FdEvent): void {
  event.wanted = event.accepts
    ? (event.readBits === ACTIVE ? ACCEPT : ABSENT)
    : wishFor(event.readBits, event.writeBits, event.rules.mode);
  // A wish to leave the kernel wins over a demand to be sent again.
  if (event.wanted === ABSENT) event.forced = 0;
  if (event.changing || event.pending) {
    event.parts.changes.add(event);
    event.parts.touched();
  }
}

/** Has the next commit send the mask once more, if the direction is active. */
export function rearm(event: FdEvent, state: number, direction: number): void {
  if (state === ACTIVE && event.rules.rearms && !event.accepts) {
    event.forced |= direction;
  }
}

/** Sets a one-shot of one direction, which is always sent. */
export function oneshot(event: FdEvent, read: number, write: number): void {
  event.accepts = false;
  event.readBits = read;
  event.writeBits = write;
  // The kernel will report what is ready: a queued handler would run twice.
  event.due &= ~(READ_WORK | WRITE_WORK);
  event.forced = read === INACTIVE ? WRITE_WORK : READ_WORK;
  wish(event);
}

/** Makes both directions inactive and drops their queued handlers. */
export function deactivate(event: FdEvent): void {
  event.accepts = false;
  event.readBits = INACTIVE;
  event.writeBits = INACTIVE;
  dropWork(event);
  wish(event);
}

/** Drops the queued handlers, but for one that tells of a failed change. */
export function dropWork(event: FdEvent): void {
  event.due &= event.failure === null ? 0 : ERROR_WORK;
}

/** Queues the read handler, unless it is queued. */
export function queueRead(event: FdEvent): void {
  event.due |= READ_WORK;
  if ((event.queued & READ_WORK) !== 0) return;
  event.queued |= READ_WORK;
  const queue = event.accepts ? ACCEPT_QUEUE : event.readQueue;
  event.parts.queues.push(queue, event, READ_WORK);
  event.parts.touched();
}

/** Queues the write handler, unless it is queued. */
export function queueWrite(event: FdEvent): void {
  event.due |= WRITE_WORK;
  if ((event.queued & WRITE_WORK) !== 0) return;
  event.queued |= WRITE_WORK;
  event.parts.queues.push(event.writeQueue, event, WRITE_WORK);
  event.parts.touched();
}

/**
 * Puts the read handler off until the kernel has been asked for what is new, as
 * if it reported this descriptor again then.
 */
export function readAgain(event: FdEvent): void {
  event.due |= READ_WORK;
  putOff(event, READ_WORK);
}

/** Puts the write handler off likewise. */
export function writeAgain(event: FdEvent): void {
  event.due |= WRITE_WORK;
  putOff(event, WRITE_WORK);
}

function putOff(event: FdEvent, kind: number): void {
  if ((event.queued & kind) !== 0) return;
  event.parts.again.push(event);
  event.parts.touched();
}

/** Queues the error handler with what it will be told: the first failure. */
export function queueError(event: FdEvent, failure: SystemError | null): void {
  event.failure ??= failure;
  event.due |= ERROR_WORK;
  if ((event.queued & ERROR_WORK) !== 0) return;
  event.queued |= ERROR_WORK;
  event.parts.queues.push(FAST, event, ERROR_WORK);
  event.parts.touched();
}

/** The kernel refused a change, and has no entry for the descriptor now. */
export function changeFailed(event: FdEvent, error: SystemError): void {
  deactivate(event);
  queueError(event, error);
}
