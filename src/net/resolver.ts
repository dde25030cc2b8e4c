/**
 * Looking up names of hosts without holding up the loop: threads that ask, and
 * tell the engine by an eventfd, so that it works in `run()` too.
 *
 * @module
 */

import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  F_DUPFD_CLOEXEC,
  NameLookup,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { watchOwn } from "../own_event.ts";
import type { EngineParts } from "../parts.ts";
import { triggerRules } from "../trigger.ts";
import { CONNECT_QUEUE } from "../work_queue.ts";

/** Names that one engine looks up at the same time; others wait. */
const THREADS_MAX = 4;

/** Somebody who wants to know a name's addresses. */
export interface Lookup {
  readonly name: string;
  /** Set when nobody wants to know any more. */
  cancelled: boolean;
  /** The addresses, their ports 0; none of them is without an error. */
  resolved(addresses: SocketAddress[], error: SystemError | null): void;
  /** The engine is closing. */
  abandoned(): void;
}

const resolvers = new WeakMap<EngineParts, Resolver>();

/** Looks a name up, in the threads that an engine has for it. */
export function lookUp(parts: EngineParts, lookup: Lookup): void {
  let resolver = resolvers.get(parts);
  if (resolver === undefined) {
    resolver = new Resolver(parts);
    resolvers.set(parts, resolver);
  }
  resolver.add(lookup);
}

class Resolver {
  readonly #parts: EngineParts;
  readonly #threads: ResolverThread[] = [];
  readonly #waiting: Lookup[] = [];

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  add(lookup: Lookup): void {
    const idle = this.#threads.find(({ lookup }) => lookup === null);
    if (idle !== undefined) return idle.start(lookup);
    if (this.#threads.length === THREADS_MAX) {
      this.#waiting.push(lookup);
      return;
    }
    const thread = new ResolverThread(this.#parts, () => this.#next());
    this.#threads.push(thread);
    thread.start(lookup);
  }

  /** The next that somebody still wants to know. */
  #next(): Lookup | null {
    for (;;) {
      const lookup = this.#waiting.shift();
      if (lookup === undefined) return null;
      if (!lookup.cancelled) return lookup;
    }
  }
}

/** One thread, kept until the engine closes. */
class ResolverThread {
  /** What it is looking up. */
  lookup: Lookup | null = null;
  readonly #event: FdEvent;
  readonly #names: NameLookup;
  readonly #next: () => Lookup | null;

  static readonly #events: OwnHandlers = {
    owner: "Resolver",
    read: (event) => (event.data as ResolverThread).#answered(),
    engineClosed: (event) => (event.data as ResolverThread).#close(),
  };

  /** Throws SystemError where there is no descriptor left. */
  constructor(parts: EngineParts, next: () => Lookup | null) {
    this.#next = next;
    const { calls } = parts;
    const fd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw new SystemError("eventfd", fd);
    // The thread's own: it may write when this number is somebody else's.
    const copy = calls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      calls.close(fd);
      throw new SystemError("fcntl", copy, { fd });
    }
    this.#names = new NameLookup(copy);
    const rules = triggerRules("edge");
    this.#event = watchOwn(parts, fd, rules, ResolverThread.#events);
    this.#event.data = this;
    this.#event.readQueue = CONNECT_QUEUE;
  }

  start(lookup: Lookup): void {
    this.lookup = lookup;
    this.#names.start(lookup.name);
  }

  #answered(): void {
    const { lookup } = this;
    if (lookup === null) return;
    const { addresses, errno } = this.#names.result();
    this.lookup = null;
    const next = this.#next();
    if (next !== null) this.start(next);
    if (lookup.cancelled) return;
    const about = { address: lookup.name };
    const error = errno === 0
      ? null
      : new SystemError("getaddrinfo", errno, about);
    lookup.resolved(addresses, error);
  }

  #close(): void {
    this.#event.close();
    this.#names.stop();
    let lookup = this.lookup;
    while (lookup !== null) {
      if (!lookup.cancelled) lookup.abandoned();
      lookup = this.#next();
    }
  }
}
