/**
 * Operations that wait, first come first served, until they can be done, fail,
 * or are aborted.
 *
 * @module
 */

import type { Presence } from "./streams_attendance.ts";

/** One of them. */
interface Operation<Target, Result> {
  readonly target: Target;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly abort: (() => void) | undefined;
}

/** What waits in one direction of a descriptor. */
export class Operations<Target, Result> {
  readonly #presence: Presence;
  readonly #waiting: Operation<Target, Result>[] = [];

  constructor(presence: Presence) {
    this.#presence = presence;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** What the first is about; there must be one. */
  get target(): Target {
    return this.#waiting[0].target;
  }

  /** Waits until all before it are done and it is, too. */
  add(target: Target, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      let abort: (() => void) | undefined;
      if (signal !== undefined) {
        abort = () => this.#leave(operation);
        signal.addEventListener("abort", abort);
      }
      const operation = { target, resolve, reject, signal, abort };
      this.#waiting.push(operation);
      this.#presence.began();
    });
  }

  /** The first is done. */
  settle(result: Result): void {
    this.#shift()?.resolve(result);
  }

  /** The first has failed. */
  fail(reason: unknown): void {
    this.#shift()?.reject(reason);
  }

  /** All have failed. */
  failAll(reason: unknown): void {
    while (!this.empty) this.fail(reason);
  }

  #shift(): Operation<Target, Result> | undefined {
    const operation = this.#waiting.shift();
    if (operation !== undefined) this.#ended(operation);
    return operation;
  }

  #leave(operation: Operation<Target, Result>): void {
    this.#waiting.splice(this.#waiting.indexOf(operation), 1);
    this.#ended(operation);
    operation.reject(operation.signal?.reason);
  }

  #ended({ signal, abort }: Operation<Target, Result>): void {
    this.#presence.ended();
    if (abort !== undefined) signal?.removeEventListener("abort", abort);
  }
}
