/**
 * Epoll masks by the kernel's names.
 *
 * @module
 */

import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "../../ffi/mod.ts";

const BITS: readonly (readonly [string, number])[] = [
  ["EPOLLIN", EPOLLIN],
  ["EPOLLPRI", EPOLLPRI],
  ["EPOLLOUT", EPOLLOUT],
  ["EPOLLERR", EPOLLERR],
  ["EPOLLHUP", EPOLLHUP],
  ["EPOLLRDHUP", EPOLLRDHUP],
  ["EPOLLEXCLUSIVE", EPOLLEXCLUSIVE],
  ["EPOLLONESHOT", EPOLLONESHOT],
  ["EPOLLET", EPOLLET],
];

/** The names of a mask's bits; what has no name here comes last, in hex. */
export function maskNames(mask: number): string[] {
  const names = BITS.filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name);
  const rest = BITS.reduce((rest, [, bit]) => rest & ~bit, mask);
  return rest === 0 ? names : [...names, `0x${(rest >>> 0).toString(16)}`];
}
