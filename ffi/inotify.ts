/** What happens to files and directories. @module */

import { cString, int32, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { fileWatches } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** inotify_init1(2): reading does not block. */
export const IN_NONBLOCK = 0x800;
/** inotify_init1(2): close on execve. */
export const IN_CLOEXEC = 0x80000;

/** The file was read. */
export const IN_ACCESS = 0x1;
/** The file was written or cut. */
export const IN_MODIFY = 0x2;
/** Mode, owner, times or links have changed. */
export const IN_ATTRIB = 0x4;
/** A file that was open for writing was closed. */
export const IN_CLOSE_WRITE = 0x8;
/** A file that was not open for writing was closed. */
export const IN_CLOSE_NOWRITE = 0x10;
/** The file was opened. */
export const IN_OPEN = 0x20;
/** A file was moved out of the directory. */
export const IN_MOVED_FROM = 0x40;
/** A file was moved into the directory. */
export const IN_MOVED_TO = 0x80;
/** A file was made in the directory. */
export const IN_CREATE = 0x100;
/** A file of the directory was deleted. */
export const IN_DELETE = 0x200;
/** What is watched was deleted. */
export const IN_DELETE_SELF = 0x400;
/** What is watched was moved. */
export const IN_MOVE_SELF = 0x800;
/** The file system was unmounted. */
export const IN_UNMOUNT = 0x2000;
/** The kernel's queue was full: events are lost. The watch is -1. */
export const IN_Q_OVERFLOW = 0x4000;
/** The watch is over. */
export const IN_IGNORED = 0x8000;
/** Watch only a directory. */
export const IN_ONLYDIR = 0x1000000;
/** Do not follow a symbolic link. */
export const IN_DONT_FOLLOW = 0x2000000;
/** Add to the mask of a watch that there is. */
export const IN_MASK_ADD = 0x20000000;
/** The event is about a directory. */
export const IN_ISDIR = 0x40000000;

/** `struct inotify_event`, before its name. */
export const inotify_event = {
  size: 16,
  wd: 0,
  mask: 4,
  cookie: 8,
  len: 12,
} as const;

/** inotify_init1(2). Returns the descriptor, or the negative errno. */
export function inotify_init1(flags: number): number {
  const fd = fileWatches.c.inotify_init1(int32(flags));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/**
 * inotify_add_watch(2). Returns the watch, the same for the same file, or the
 * negative errno.
 */
export function inotify_add_watch(
  fd: number,
  path: string,
  mask: number,
): number {
  const watch = fileWatches.c.inotify_add_watch(
    int32(fd),
    cString(path),
    uint32(mask),
  );
  return watch < 0 ? -(errnoView ?? errnoCopy())[0] : watch;
}

/** inotify_rm_watch(2). Returns 0, or the negative errno. */
export function inotify_rm_watch(fd: number, watch: number): number {
  const result = fileWatches.c.inotify_rm_watch(int32(fd), int32(watch));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** One event. */
export interface InotifyEvent {
  /** Which watch it is about; -1 for `IN_Q_OVERFLOW`. */
  watch: number;
  /** Such as `IN_MODIFY`. */
  mask: number;
  /** The same for the two events of a move; 0 otherwise. */
  cookie: number;
  /** The name of the file, where a directory is watched; empty otherwise. */
  name: string;
}

/**
 * The events that a read of an inotify descriptor has brought.
 *
 * @example
 * ```ts
 * import * as c from "@edgewise/epoll/ffi";
 *
 * const fd = c.check(c.inotify_init1(c.IN_CLOEXEC | c.IN_NONBLOCK), "inotify_init1");
 * c.check(c.inotify_add_watch(fd, "/", c.IN_CREATE), "inotify_add_watch");
 * const buffer = new Uint8Array(4096);
 * const count = c.read(fd, buffer); // -EAGAIN as long as nothing has happened
 * if (count > 0) {
 *   for (const { name } of c.inotifyEvents(buffer.subarray(0, count))) {
 *     console.log(name);
 *   }
 * }
 * c.close(fd);
 * ```
 */
export function inotifyEvents(filled: Bytes): InotifyEvent[] {
  const view = new DataView(
    filled.buffer,
    filled.byteOffset,
    filled.byteLength,
  );
  const { size, wd, mask, cookie, len } = inotify_event;
  const events: InotifyEvent[] = [];
  const decoder = new TextDecoder();
  for (let at = 0; at < filled.byteLength;) {
    const end = at + size + view.getUint32(at + len, true);
    // Padded with NULs. A copy, as no text can be made of shared memory.
    const name = filled.slice(at + size, end);
    const nameEnd = name.indexOf(0);
    events.push({
      watch: view.getInt32(at + wd, true),
      mask: view.getUint32(at + mask, true),
      cookie: view.getUint32(at + cookie, true),
      name: decoder.decode(nameEnd < 0 ? name : name.subarray(0, nameEnd)),
    });
    at = end;
  }
  return events;
}
