/** Linux AIO, and the plain calls on files at an offset. @module */

import { int32, requireRoom, transferSize, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { architecture, io_event } from "./layout.ts";
import { aio, fileOffsets } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { setTimespec } from "./time.ts";

/** The numbers of the calls, which the C library has no functions for. */
const SYS = architecture === "x86_64"
  ? {
    io_setup: 206,
    io_destroy: 207,
    io_getevents: 208,
    io_submit: 209,
    io_cancel: 210,
  }
  : { io_setup: 0, io_destroy: 1, io_submit: 2, io_cancel: 3, io_getevents: 4 };

/** io_submit(2): pread(2). */
export const IOCB_CMD_PREAD = 0;
/** io_submit(2): pwrite(2). */
export const IOCB_CMD_PWRITE = 1;
/** io_submit(2): fsync(2). Linux 4.18. */
export const IOCB_CMD_FSYNC = 2;
/** io_submit(2): fdatasync(2). Linux 4.18. */
export const IOCB_CMD_FDSYNC = 3;
/** io_submit(2): add 1 to an eventfd once the request is done. */
export const IOCB_FLAG_RESFD = 1;

/**
 * io_setup(2): makes a context for `requestsMax` requests at a time and stores
 * it in `context[0]`, which must be 0 before. Returns 0, or the negative errno:
 * EAGAIN beyond /proc/sys/fs/aio-max-nr, ENOSYS or EPERM where it is not offered.
 */
export function io_setup(
  requestsMax: number,
  context: BigUint64Array<ArrayBufferLike>,
): number {
  requireRoom(context, 8, "a context");
  const result = aio.c.io_setup(SYS.io_setup, uint32(requestsMax), context);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * io_destroy(2). Returns once no request of the context is under way, and so
 * nothing is written to memory any more; results not taken are lost. Returns 0,
 * or the negative errno.
 */
export function io_destroy(context: bigint): number {
  const result = aio.c.io_destroy(SYS.io_destroy, context);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * io_submit(2) of the first `count` of `requests`, addresses of `struct iocb`.
 * Those, and the memory they name, must stay where they are until they are done.
 * Returns how many were taken, or the negative errno of the first.
 */
export function io_submit(
  context: bigint,
  requests: BigUint64Array<ArrayBufferLike>,
  count: number,
): number {
  requireRoom(requests, uint32(count) * 8, "the requests");
  const taken = aio.c.io_submit(SYS.io_submit, context, count, requests);
  return taken < 0 ? -(errnoView ?? errnoCopy())[0] : taken;
}

const timeout = new Int32Array(4);

/**
 * io_getevents(2): waits for `eventsMin` results and takes up to `eventsMax` into
 * `events`, an array of `struct io_event`. `timeoutMs` is -1 for ever. Returns
 * how many, or the negative errno.
 */
export function io_getevents(
  context: bigint,
  eventsMin: number,
  eventsMax: number,
  events: Int32Array<ArrayBufferLike>,
  timeoutMs: number,
): number {
  requireRoom(events, uint32(eventsMax) * io_event.size, "the events");
  if (timeoutMs >= 0) setTimespec(timeout, 0, timeoutMs);
  const count = aio.c.io_getevents(
    SYS.io_getevents,
    context,
    uint32(eventsMin),
    eventsMax,
    events,
    timeoutMs < 0 ? null : timeout,
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/**
 * io_cancel(2) of a request, by the address of its `struct iocb`. The result
 * still comes by io_getevents. Returns 0 or -EINPROGRESS where the request is
 * being cancelled, else the negative errno: EINVAL for reads and writes of
 * files, which can't be.
 */
export function io_cancel(
  context: bigint,
  request: bigint,
  event: Int32Array<ArrayBufferLike>,
): number {
  requireRoom(event, io_event.size, "struct io_event");
  const result = aio.c.io_cancel(SYS.io_cancel, context, request, event);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * pread(2): reads at an offset. Returns the count of bytes, 0 at end of file, or
 * the negative errno.
 */
export function pread(fd: number, buffer: Bytes, offset: number): number {
  const count = fileOffsets.c.pread(
    int32(fd),
    buffer,
    transferSize(buffer),
    BigInt(offset),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** pwrite(2): writes at an offset. Returns the count of bytes, or the negative errno. */
export function pwrite(fd: number, buffer: Bytes, offset: number): number {
  const count = fileOffsets.c.pwrite(
    int32(fd),
    buffer,
    transferSize(buffer),
    BigInt(offset),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** fsync(2): returns once the file is on the disk: 0, or the negative errno. */
export function fsync(fd: number): number {
  const result = fileOffsets.c.fsync(int32(fd));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** fdatasync(2): fsync of what is needed to read the data again. */
export function fdatasync(fd: number): number {
  const result = fileOffsets.c.fdatasync(int32(fd));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
