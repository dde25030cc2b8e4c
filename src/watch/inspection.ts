/**
 * An engine's descriptors as it sees them and as the kernel does, from /proc, side
 * by side.
 *
 * @module
 */

import { EPOLLERR, EPOLLHUP, readlink } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { Loop } from "../loop.ts";
import type { QueueDepths } from "../metrics.ts";
import { type ProcCalls, readProc } from "../proc.ts";
import { ABSENT, type EventState } from "../states.ts";
import { ERROR_WORK, READ_WORK, WRITE_WORK } from "../work_queue.ts";
import { maskNames } from "./call_text.ts";
import { ownerOf } from "./watcher.ts";

/** One descriptor of an {@linkcode EngineInspection}. */
export interface InspectedDescriptor {
  /** Its number. */
  readonly fd: number;
  /**
   * What the number stands for now: `"socket"`, `"pipe"`, `"eventfd"` and so on,
   * a path, or `"closed"`.
   */
  readonly kind: string;
  /**
   * `"user"` for what was given to {@linkcode Engine.register}, `"nobody"` for
   * what is in the epoll set and not of this engine's making; else the class
   * that opened it, such as `"Listener"`.
   */
  readonly owner: string;
  /** The state of the read direction. */
  readonly readState: EventState;
  /** The state of the write direction. */
  readonly writeState: EventState;
  /** Whether something to read was reported and not taken up. */
  readonly readReady: boolean;
  /** Whether room to write was reported and not used up. */
  readonly writeReady: boolean;
  /** The mask that the verbs ask for, by the kernel's names; empty: no entry. */
  readonly wantedMask: readonly string[];
  /**
   * The mask that the kernel has, without EPOLLERR and EPOLLHUP, which it
   * reports anyway; null: no entry.
   */
  readonly kernelMask: readonly string[] | null;
  /** Whether the next commit will send a change. */
  readonly changing: boolean;
  /** The handlers that wait in a queue. */
  readonly queued: readonly ("read" | "write" | "error")[];
  /** What is wrong with it; null if nothing is. */
  readonly problem: string | null;
}

/** The timers of an {@linkcode EngineInspection}. */
export interface InspectedTimers {
  /** Timers that are set. */
  readonly set: number;
  /** Milliseconds until the next must fire, negative if it is late; null without one. */
  readonly nextMs: number | null;
}

/** What {@linkcode Engine.inspect} found. As a string it is a table. */
export class EngineInspection {
  /** The epoll descriptor. */
  readonly fd: number;
  /** The descriptors, by number. */
  readonly descriptors: readonly InspectedDescriptor[];
  /** What waits in the work queues. */
  readonly queues: QueueDepths;
  /** The timers. */
  readonly timers: InspectedTimers;
  /** Inboxes: what reaches the engine through memory. */
  readonly inboxes: number;

  /** @internal */
  constructor({ calls, epfd, metrics, registry, sources, timers }: Loop) {
    const entries = kernelEntries(calls, epfd);
    const entryOf = new Map(
      entries.map((entry) => [keyOf(entry.slot, entry.generation), entry]),
    );
    const known = registry.all().map((event) =>
      inspect(event, entryOf.get(keyOf(event.fd, event.generation)))
    );
    const unknown = entries
      .filter(({ slot, generation }) =>
        registry.find(slot, generation) === null
      )
      .map(inspectUnknown);
    const nearestMs = timers.nearestMs();
    this.fd = epfd;
    this.descriptors = [...known, ...unknown].sort((a, b) => a.fd - b.fd);
    this.queues = metrics.queues;
    this.timers = {
      set: timers.count,
      nextMs: nearestMs === Infinity ? null : nearestMs - calls.now(),
    };
    this.inboxes = sources.length;
  }

  /** A line on the engine, and a table with a line for each descriptor. */
  toString(): string {
    const { set, nextMs } = this.timers;
    const next = nextMs === null ? "" : `, the next in ${nextMs.toFixed(3)} ms`;
    const queued = Object.entries(this.queues)
      .filter(([, length]) => length > 0)
      .map(([name, length]) => `${length} ${name}`);
    return [
      `Engine on descriptor ${this.fd}`,
      `descriptors: ${this.descriptors.length}`,
      `timers: ${set}${next}`,
      `inboxes: ${this.inboxes}`,
      `queued: ${queued.length === 0 ? "nothing" : queued.join(", ")}`,
      ...formatTable(HEADINGS, this.descriptors.map(row)),
    ].join("\n");
  }
}

const HEADINGS = [
  "fd",
  "kind",
  "owner",
  "read",
  "write",
  "ready",
  "wanted",
  "kernel",
  "queued",
  "problem",
];

function row(descriptor: InspectedDescriptor): string[] {
  const { fd, kind, owner, readState, writeState } = descriptor;
  const ready = [
    descriptor.readReady ? "read" : "",
    descriptor.writeReady ? "write" : "",
  ];
  return [
    `${fd}`,
    kind,
    owner,
    readState,
    writeState,
    ready.filter((name) => name !== "").join("+"),
    maskText(descriptor.wantedMask),
    maskText(descriptor.kernelMask ?? []),
    descriptor.queued.join("+"),
    descriptor.problem ?? "",
  ];
}

/** Without the names' common part, so that a line stays a line. */
function maskText(names: readonly string[]): string {
  return names.map((name) => name.replace("EPOLL", "")).join("|");
}

/** A slot and a generation as one, to look up by. */
function keyOf(slot: number, generation: number): string {
  return `${slot} ${generation}`;
}

function inspect(
  event: FdEvent,
  entry: KernelEntry | undefined,
): InspectedDescriptor {
  const kind = descriptorKind(event.fd);
  return {
    fd: event.fd,
    kind,
    owner: ownerOf(event),
    readState: event.readState,
    writeState: event.writeState,
    readReady: event.readReady,
    writeReady: event.writeReady,
    wantedMask: maskNames(event.wanted),
    kernelMask: entry === undefined ? null : maskNames(entry.mask),
    changing: event.changing,
    queued: queuedHandlers(event.due),
    problem: problemOf(event, kind, entry),
  };
}

function problemOf(
  event: FdEvent,
  kind: string,
  entry: KernelEntry | undefined,
): string | null {
  if (kind === "closed") return "closed by somebody else";
  const mask = entry?.mask ?? ABSENT;
  if (mask === event.kernel) return null;
  return entry === undefined
    ? "taken out of the kernel by somebody else"
    : `the kernel should have ${maskText(maskNames(event.kernel))}`;
}

function queuedHandlers(due: number): ("read" | "write" | "error")[] {
  const queued: ("read" | "write" | "error")[] = [];
  if ((due & READ_WORK) !== 0) queued.push("read");
  if ((due & WRITE_WORK) !== 0) queued.push("write");
  if ((due & ERROR_WORK) !== 0) queued.push("error");
  return queued;
}

/** An entry that somebody else has put into the engine's epoll descriptor. */
function inspectUnknown({ fd, mask }: KernelEntry): InspectedDescriptor {
  return {
    fd,
    kind: descriptorKind(fd),
    owner: "nobody",
    readState: "inactive",
    writeState: "inactive",
    readReady: false,
    writeReady: false,
    wantedMask: [],
    kernelMask: maskNames(mask),
    changing: false,
    queued: [],
    problem: "not registered with this engine",
  };
}

/** An entry of an epoll descriptor's interest list. */
interface KernelEntry {
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
function kernelEntries(calls: ProcCalls, epfd: number): KernelEntry[] {
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
function descriptorKind(fd: number): string {
  const link = new Uint8Array(4096);
  const length = readlink(`/proc/self/fd/${fd}`, link);
  if (length < 0) return "closed";
  const target = new TextDecoder().decode(link.subarray(0, length));
  const kind = target.match(/^(?:anon_inode:\[?)?([\w-]+)(?::\[\d+\]|\])?$/);
  return kind === null ? target : kind[1];
}

/** Lines with aligned columns; columns in which nothing stands are left out. */
function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const columns = headings.map((_, column) => column)
    .filter((column) => rows.some((row) => row[column] !== ""));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column].length))
  );
  return rows.length === 0
    ? []
    : [headings, ...rows].map((row) =>
      columns.map((column) => row[column].padEnd(widths[column])).join("  ")
        .trimEnd()
    );
}
