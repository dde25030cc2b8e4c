/** An array of `struct epoll_event`. @module */

import { epoll_event, type EpollEventLayout } from "./layout.ts";

/**
 * An array of `struct epoll_event`, as epoll_wait(2) fills it and epoll_ctl(2)
 * takes its first. The 64 bits of user data are a slot (low word) and a
 * generation (high word), both signed 32-bit integers that come back whole.
 *
 * ```ts
 * import { EPOLLIN, EpollEvents } from "@edgewise/epoll/ffi";
 *
 * const events = new EpollEvents(1);
 * events.set(0, EPOLLIN, 7, -1);
 * console.log(events.mask(0), events.slot(0), events.generation(0)); // 1 7 -1
 * ```
 */
export class EpollEvents {
  /** The memory that system calls take. */
  readonly words: Int32Array<ArrayBuffer>;
  /** How many events it holds. */
  readonly eventsMax: number;
  readonly #stride: number;
  readonly #mask: number;
  readonly #slot: number;
  readonly #generation: number;

  /**
   * Room for `eventsMax` events, a positive integer. `layout` is that of this
   * machine by default. Throws RangeError for another `eventsMax`.
   */
  constructor(eventsMax: number, layout: EpollEventLayout = epoll_event) {
    if (!Number.isInteger(eventsMax) || eventsMax < 1) {
      throw new RangeError(
        `Cannot make EpollEvents: eventsMax must be a positive integer, the current value is ${eventsMax}`,
      );
    }
    this.eventsMax = eventsMax;
    this.#stride = layout.size >> 2;
    this.#mask = layout.events >> 2;
    this.#slot = layout.data >> 2;
    this.#generation = (layout.data >> 2) + 1;
    this.words = new Int32Array(eventsMax * this.#stride);
  }

  /** The mask of the event at `index`: EPOLLIN and its like, as an int32. */
  mask(index: number): number {
    return this.words[index * this.#stride + this.#mask];
  }

  /** The low word of the user data. */
  slot(index: number): number {
    return this.words[index * this.#stride + this.#slot];
  }

  /** The high word of the user data. */
  generation(index: number): number {
    return this.words[index * this.#stride + this.#generation];
  }

  /** Writes the event at `index`. */
  set(index: number, mask: number, slot: number, generation: number): void {
    const at = index * this.#stride;
    this.words[at + this.#mask] = mask;
    this.words[at + this.#slot] = slot;
    this.words[at + this.#generation] = generation;
  }
}
