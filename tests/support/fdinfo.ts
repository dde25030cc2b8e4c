/** The kernel's own view of an epoll set, from /proc/self/fdinfo. */
import { readFileSync } from "node:fs";

/** One registered descriptor. */
export interface EpollEntry {
  /** The number it was registered under. */
  fd: number;
  /** The mask that the kernel has, always with EPOLLERR and EPOLLHUP. */
  mask: number;
  /** The 64-bit user data. */
  data: bigint;
}

/** The entries of the epoll set `epfd`, by descriptor. */
export function epollEntries(epfd: number): EpollEntry[] {
  return parseFdinfo(readFileSync(`/proc/self/fdinfo/${epfd}`, "utf8"));
}

/** The entry of `fd` in the set `epfd`; undefined where the kernel has none. */
export function epollEntry(epfd: number, fd: number): EpollEntry | undefined {
  return epollEntries(epfd).find((entry) => entry.fd === fd);
}

/** Lines such as `tfd:  7 events:  19 data:  7  pos:0`; the masks are hex. */
export function parseFdinfo(text: string): EpollEntry[] {
  const line = /^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)\s+data:\s*([0-9a-f]+)/gm;
  return [...text.matchAll(line)].map(([, fd, mask, data]) => ({
    fd: Number(fd),
    mask: Number.parseInt(mask as string, 16) | 0,
    data: BigInt(`0x${data}`),
  })).sort((a, b) => a.fd - b.fd);
}
