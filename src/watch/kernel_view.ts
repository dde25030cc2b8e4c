/**
 * What the kernel has of an engine's descriptors, from /proc.
 *
 * @module
 */

import { EPOLLERR, EPOLLHUP, readlink } from "../../ffi/mod.ts";
import { type ProcCalls, readProc } from "../proc.ts";

/** An entry of an epoll descriptor's interest list. */
export interface KernelEntry {
  readonly fd: number;
  /** Without EPOLLERR and EPOLLHUP, which the kernel adds to every mask. */
  readonly mask: number;
  readonly slot: number;
  readonly generation: number;
}

/** Lines such as `tfd:  7 events:  19 data:  700000001  pos:0`, but for the first in hex. */
const ENTRY = /^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)\s+data:\s*([0-9a-f]+)/gm;

/**
 * The interest list of an epoll descriptor.
 *
 * @throws {SystemError} Such as `ENOENT` where /proc is not mounted.
 */
export function kernelEntries(calls: ProcCalls, epfd: number): KernelEntry[] {
  const bytes = readProc(calls, `/proc/self/fdinfo/${epfd}`);
  const text = new TextDecoder().decode(bytes);
  return [...text.matchAll(ENTRY)].map(([, fd, mask, data]) => {
    const words = data.padStart(16, "0");
    return {
      fd: Number(fd),
      mask: Number.parseInt(mask, 16) & ~(EPOLLERR | EPOLLHUP),
      slot: Number.parseInt(words.slice(8), 16) | 0,
      generation: Number.parseInt(words.slice(0, 8), 16) | 0,
    };
  });
}

/** What a descriptor is: `"socket"`, `"pipe"`, `"eventfd"`, a path; `"closed"` if it is not open. */
export function descriptorKind(fd: number): string {
  const link = new Uint8Array(4096);
  const length = readlink(`/proc/self/fd/${fd}`, link);
  if (length < 0) return "closed";
  const target = new TextDecoder().decode(link.subarray(0, length));
  const kind = target.match(/^(?:anon_inode:\[?)?([\w-]+)(?::\[\d+\]|\])?$/);
  return kind === null ? target : kind[1];
}
