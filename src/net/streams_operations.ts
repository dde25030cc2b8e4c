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
  next: Operation<Target, Result> | null;
}

/** What waits in one direction of a descriptor. */
export class Operations<Target, Result> {
  readonly #presence: Presence;
  // A list, as nearly always there is one, for which an array has room for many.
  #first: Operation<Target, Result> | null = null;
  #last: Operation<Target, Result> | null = null;

  constructor(presence: Presence) {
    this.#presence = presence;
  }

  get empty(): boolean {
    return this.#first === null;
  }

  /** What the first is about; there must be one. */
  get target(): Target {
    return (this.#first as Operation<Target, Result>).target;
  }

  /** Waits until all before it are done and it is, too. */
  add(target: Target, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      let abort: (() => void) | undefined;
      if (signal !== undefined) {
        abort = () => this.#leave(operation);
        signal.addEventListener("abort", abort);
      }
      const operation: Operation<Target, Result> = {
        target,
        resolve,
        reject,
        signal,
        abort,
        next: null,
      };
      this.#push(operation);
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

  #push(operation: Operation<Target, Result>): void {
    if (this.#last === null) this.#first = operation;
    else this.#last.next = operation;
    this.#last = operation;
  }

  #shift(): Operation<Target, Result> | null {
    const operation = this.#first;
    if (operation === null) return null;
    this.#first = operation.next;
    if (this.#first === null) this.#last = null;
    this.#ended(operation);
    return operation;
  }

  #leave(operation: Operation<Target, Result>): void {
    let before = this.#first === operation ? null : this.#first;
    while (before !== null && before.next !== operation) before = before.next;
    if (before === null) this.#first = operation.next;
    else before.next = operation.next;
    if (this.#last === operation) this.#last = before;
    this.#ended(operation);
    operation.reject(operation.signal?.reason);
  }

  #ended({ signal, abort }: Operation<Target, Result>): void {
    this.#presence.ended();
    if (abort !== undefined) signal?.removeEventListener("abort", abort);
  }
}
