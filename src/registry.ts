/**
 * Which event a kernel event is for. The 64-bit data of an entry carries a slot,
 * which is the descriptor's number, and a generation, which moves on with each
 * registration, so that nothing meant for an earlier owner of a number arrives.
 *
 * @module
 */

import { FdEvent } from "./fd_event.ts";
import type { FdHandlers } from "./fd_handlers.ts";
import type { EngineParts } from "./parts.ts";

/** The registered events of an engine, by descriptor. */
export class Registry {
  /** Numbers are dense, as the kernel gives the lowest; V8 bears those that are not. */
  readonly #events: (FdEvent | null)[] = [];
  #size = 0;
  #generation: number;

  /** `firstGeneration` lets tests start close to where the 32 bits wrap. */
  constructor(firstGeneration = 0) {
    this.#generation = firstGeneration | 0;
  }

  /** Registered events. */
  get size(): number {
    return this.#size;
  }

  /** The event that has a descriptor's number, if any. */
  byFd(fd: number): FdEvent | null {
    return this.#events[fd] ?? null;
  }

  /** The event that a kernel event is for, or null if that is gone. */
  find(slot: number, generation: number): FdEvent | null {
    const event = this.#events[slot];
    // The descriptor of an engine is public: others may put entries there.
    if (event === undefined || event === null) return null;
    return event.generation === generation ? event : null;
  }

  /** Takes an event in, and whatever comes for its number from here on is for it. */
  add(event: FdEvent): void {
    if (this.byFd(event.fd) === null) this.#size++;
    event.generation = this.#generation;
    this.#generation = (this.#generation + 1) | 0;
    this.#events[event.fd] = event;
  }

  /** Lets an event go, unless its number has a new owner. */
  remove(event: FdEvent): void {
    if (this.byFd(event.fd) !== event) return;
    this.#events[event.fd] = null;
    this.#size--;
  }

  /** The registered events, for closing them; a copy. */
  all(): FdEvent[] {
    // Not filter(), which would count up to the highest number.
    return Object.values(this.#events).filter((event) => event !== null);
  }
}

/** Checks what it is given; see {@linkcode Engine.register}. */
export function register(
  parts: EngineParts,
  fd: number,
  handlers: FdHandlers,
): FdEvent {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) {
    throw new RangeError(
      `Cannot register a descriptor: it must be an integer from 0 to 2147483647, and is ${fd}`,
    );
  }
  if (typeof handlers !== "object" || handlers === null) {
    throw new TypeError(
      `Cannot register descriptor ${fd}: its handlers are ${handlers}`,
    );
  }
  if (parts.registry.byFd(fd) !== null) {
    throw new Error(
      `Cannot register descriptor ${fd}: it is registered already, and its event is not closed`,
    );
  }
  // Adding 0 makes 0 of -0, which the FFI refuses as an integer (Deno 2.9.6).
  const event = new FdEvent(fd + 0, handlers, parts);
  parts.registry.add(event);
  return event;
}
