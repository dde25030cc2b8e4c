/** What a file is. @module */

import {
  cString,
  int32,
  type Memory,
  requireRoom,
  uint32,
} from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { architecture } from "./layout.ts";
import { fileStatus } from "./libc.ts";

/** The number of statx(2), as every C library can call it. */
const SYS_statx = architecture === "x86_64" ? 332 : 291;

/** `struct statx`, of which these fields are in use. */
export const statx_layout = {
  size: 256,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_mtime_sec: 112,
  stx_mtime_nsec: 120,
  stx_dev_major: 136,
  stx_dev_minor: 140,
} as const;

/** statx(2): relative paths start at the working directory. */
export const AT_FDCWD: number = -100;
/** statx(2): a symbolic link itself, not what it leads to. */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** statx(2): with an empty path: the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;
/** statx(2): what stat(2) tells. */
export const STATX_BASIC_STATS = 0x7ff;
/** The bits of a mode that say what kind of file it is. */
export const S_IFMT = 0xf000;
/** A socket. */
export const S_IFSOCK = 0xc000;
/** A regular file. */
export const S_IFREG = 0x8000;
/** A directory. */
export const S_IFDIR = 0x4000;

/**
 * statx(2), Linux 4.11: fills a `struct statx`. Returns 0, or the negative
 * errno.
 */
export function statx(
  dirFd: number,
  path: string,
  flags: number,
  mask: number,
  status: Memory,
): number {
  requireRoom(status, statx_layout.size, "struct statx");
  const result = fileStatus.c.statx(
    SYS_statx,
    int32(dirFd),
    cString(path),
    int32(flags),
    uint32(mask),
    status,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
