/**
 * Sizes and offsets of the kernel's structures, in bytes, as data for each
 * architecture. Both are little-endian and LP64, so nearly all are shared; what
 * differs is named in {@linkcode layouts}.
 *
 * @module
 */

import process from "node:process";

/** The architectures whose layouts are known. */
export type Architecture = "x86_64" | "aarch64";

/** A structure: its size, and the offset of each field, in bytes. */
export interface StructLayout {
  readonly size: number;
  readonly [field: string]: number;
}

/** `struct epoll_event`; `data` is a union of 64 bits. */
export interface EpollEventLayout extends StructLayout {
  readonly size: number;
  readonly events: number;
  readonly data: number;
}

/** The structures that differ by architecture. */
export interface ArchitectureLayout {
  readonly epoll_event: EpollEventLayout;
}

/** What differs by architecture. */
export const layouts: Readonly<Record<Architecture, ArchitectureLayout>> = {
  // Packed on x86-64 alone, so that 32-bit programs see the same structure.
  x86_64: { epoll_event: { size: 12, events: 0, data: 4 } },
  aarch64: { epoll_event: { size: 16, events: 0, data: 8 } },
};

/** The architecture of this process. Other machines are taken for aarch64, whose layouts are the generic ones. */
export const architecture: Architecture = process.arch === "x64"
  ? "x86_64"
  : "aarch64";

/** `struct epoll_event` of this process. */
export const epoll_event: EpollEventLayout = layouts[architecture].epoll_event;
