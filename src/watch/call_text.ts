/** System calls and epoll masks as text, in the form of strace(1). @module */

import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EpollEvents,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  errnoName,
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

const OPERATIONS = new Map([
  [EPOLL_CTL_ADD, "EPOLL_CTL_ADD"],
  [EPOLL_CTL_MOD, "EPOLL_CTL_MOD"],
  [EPOLL_CTL_DEL, "EPOLL_CTL_DEL"],
]);

/** A call with its arguments and what it returned. */
export function callText(
  name: string,
  values: readonly unknown[],
  result: unknown,
): string {
  const shown = name === "epoll_ctl"
    ? controlValues(values)
    : values.map(valueText);
  return `${name}(${shown.join(", ")}) = ${resultText(result)}`;
}

/** A mask by its names, or 0. */
export function maskText(mask: number): string {
  return maskNames(mask).join("|") || "0";
}

/** The first `count` of the events that a wait has filled. */
export function reportedEvents(words: Int32Array, count: number): EpollEvents {
  const events = new EpollEvents(count);
  events.words.set(words.subarray(0, events.words.length));
  return events;
}

function controlValues(values: readonly unknown[]): string[] {
  const [epfd, operation, fd, words] = values;
  const name = OPERATIONS.get(operation as number) ?? `${operation}`;
  const mask = words instanceof Int32Array
    ? maskText(reportedEvents(words, 1).mask(0))
    : "NULL";
  return [`${epfd}`, name, `${fd}`, mask];
}

/** Memory by its length only: what a call is given may be secret. */
function valueText(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return `[${value.length} chunks]`;
  if (value === null) return "NULL";
  return typeof value === "object"
    ? "{}"
    : JSON.stringify(`${value}`).slice(1, -1);
}

function resultText(result: unknown): string {
  if (typeof result !== "number") return `${result}`;
  return result < 0 ? `-1 ${errnoName(result)}` : `${result}`;
}
