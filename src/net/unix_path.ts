/**
 * The socket file that listening on a unix path makes: taken over where nobody
 * listens any more, and removed in the end.
 *
 * @module
 */

import {
  AF_UNIX,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  type Bytes,
  EADDRINUSE,
  ECONNREFUSED,
  S_IFMT,
  S_IFSOCK,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  STATX_BASIC_STATS,
  statx_layout,
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";

/** Device and inode: enough to tell a file from one that has replaced it. */
type FileId = string;

/** A socket file that is this process's own. */
export class SocketFile {
  readonly #calls: SystemCalls;
  readonly #path: string;
  #id: FileId | null;

  /** The file that bind(2) has just made. */
  constructor(calls: SystemCalls, path: string) {
    this.#calls = calls;
    this.#path = path;
    this.#id = socketId(calls, path);
  }

  /** Removes the file, unless another one has taken its place. Once only. */
  remove(): void {
    const id = this.#id;
    if (id === null) return;
    // The number of an inode is given away again.
    this.#id = null;
    if (socketId(this.#calls, this.#path) !== id) return;
    this.#calls.unlink(this.#path);
  }
}

/**
 * bind(2) to a path. A socket file that refuses connections is what a server
 * that ended has left, and is replaced; anything else stays. Returns 0 or the
 * negative errno.
 */
export function bindPath(
  calls: SystemCalls,
  fd: number,
  path: string,
  address: Bytes,
): number {
  const result = calls.bind(fd, address);
  if (result !== -EADDRINUSE) return result;
  const id = socketId(calls, path);
  if (id === null || !refuses(calls, address)) return result;
  // Another server may have been as quick.
  if (socketId(calls, path) !== id) return result;
  calls.unlink(path);
  return calls.bind(fd, address);
}

/** Whether nobody listens on a unix address. */
function refuses(calls: SystemCalls, address: Bytes): boolean {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const probe = calls.socket(AF_UNIX, type, 0);
  if (probe < 0) return false;
  const result = calls.connect(probe, address);
  calls.close(probe);
  return result === -ECONNREFUSED;
}

/** The identity of the socket file at a path; null for anything else there. */
function socketId(calls: SystemCalls, path: string): FileId | null {
  const status = new Uint8Array(statx_layout.size);
  const result = calls.statx(
    AT_FDCWD,
    path,
    AT_SYMLINK_NOFOLLOW,
    STATX_BASIC_STATS,
    status,
  );
  const view = new DataView(status.buffer);
  const kind = view.getUint16(statx_layout.stx_mode, true) & S_IFMT;
  if (result < 0 || kind !== S_IFSOCK) return null;
  const major = view.getUint32(statx_layout.stx_dev_major, true);
  const minor = view.getUint32(statx_layout.stx_dev_minor, true);
  const inode = view.getBigUint64(statx_layout.stx_ino, true);
  return `${major}:${minor}:${inode}`;
}
