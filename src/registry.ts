/**
 * Which event a kernel event is for. The 64-bit data of an entry carries a slot
 * and the slot's generation, which moves on each time the slot is given away,
 * so that nothing meant for an earlier owner of a descriptor's number arrives.
 *
 * @module
 */

import type { FdEvent } from "./fd_event.ts";

/** The registered events of an engine, by slot and by descriptor. */
export class Registry {
  readonly #slots: (FdEvent | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #byFd = new Map<number, FdEvent>();
  readonly #firstGeneration: number;

  /** `firstGeneration` lets tests start close to where the 32 bits wrap. */
  constructor(firstGeneration = 0) {
    this.#firstGeneration = firstGeneration | 0;
  }

  /** Registered events. */
  get size(): number {
    return this.#byFd.size;
  }

  /** The event that has a descriptor's number, if any. */
  byFd(fd: number): FdEvent | undefined {
    return this.#byFd.get(fd);
  }

  /** The event that a kernel event is for, or null if that is gone. */
  find(slot: number, generation: number): FdEvent | null {
    const event = this.#slots[slot];
    // The descriptor of an engine is public: others may put entries there.
    if (event === undefined || event === null) return null;
    return event.generation === generation ? event : null;
  }

  /** Gives an event a slot. */
  add(event: FdEvent): void {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#slots.length;
      this.#generations.push(this.#firstGeneration);
    } else {
      this.#generations[slot] = (this.#generations[slot] + 1) | 0;
    }
    this.#slots[slot] = event;
    event.slot = slot;
    event.generation = this.#generations[slot];
    this.#byFd.set(event.fd, event);
  }

  /** Takes an event's slot back. */
  remove(event: FdEvent): void {
    this.#slots[event.slot] = null;
    this.#free.push(event.slot);
    this.#byFd.delete(event.fd);
  }

  /** The registered events, for closing them; a copy. */
  all(): FdEvent[] {
    return [...this.#byFd.values()];
  }
}
