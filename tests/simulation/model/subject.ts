/**
 * One registered descriptor beside what the rules say of it: its states and
 * calls by the oracle, what its handlers are owed, and its peer.
 */
import type { FdEvent, Trigger } from "../../../mod.ts";
import {
  EBADF,
  ENOENT,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../../../ffi/mod.ts";
import {
  type Change,
  type Direction,
  Oracle,
  type Verb,
} from "../../support/matrix_oracle.ts";
import type { HandlerStep } from "./descriptor_steps.ts";
import type { Ends, Kind } from "./descriptor_ends.ts";
import { expect } from "./violation.ts";

const CHANGES: Record<number, Change> = {
  [EPOLL_CTL_ADD]: "ADD",
  [EPOLL_CTL_MOD]: "MOD",
  [EPOLL_CTL_DEL]: "DEL",
};

/** A descriptor in the engine. */
export class Subject {
  readonly oracle: Oracle;
  /** Directions whose handler must still be called, if they are active. */
  readonly owed: Record<Direction, boolean> = { read: false, write: false };
  /** What the next handlers do. */
  readonly scripts: Record<Direction, HandlerStep[][]> = {
    read: [],
    write: [],
  };
  /** Whether a write met EAGAIN, and the peer has not drained since. */
  full = false;
  pendingEof = false;
  /** Bytes that nobody has read yet, and whether the end comes after them. */
  #unread = 0;
  #ended = false;
  readonly #name: string;
  /** Calls that must follow the last one. */
  #follows: Change[] = [];
  #leaving = false;

  constructor(
    readonly event: FdEvent,
    readonly ends: Ends,
    readonly kind: Kind,
    readonly hasErrorHandler: boolean,
    trigger: Trigger,
  ) {
    this.#name = `${kind} ${event.fd}`;
    this.oracle = new Oracle(trigger, hasErrorHandler);
  }

  /** Does what a verb should to the model; the engine has its own turn. */
  apply(verb: Verb): void {
    this.oracle.apply(verb);
    for (const direction of ["read", "write"] as const) {
      if (!ENABLES[direction].includes(verb)) continue;
      if (this.#isThere(direction)) this.owed[direction] = true;
    }
  }

  /** `run` deregisters the event: one DEL at once, if the kernel has an entry. */
  leave(run: () => void): void {
    this.#leaving = true;
    this.#follows = this.oracle.kernel === 0 ? [] : ["DEL"];
    this.oracle.apply("close");
    run();
    const left = this.#follows.length;
    expect(left === 0, () => `${this.#name}: closed without a DEL`);
  }

  /** The engine has made an epoll_ctl call for this descriptor. */
  changed(operation: number, mask: number, result: number): void {
    const change = CHANGES[operation] as Change;
    if (this.#follows.length === 0 && !this.#leaving) {
      expect(this.oracle.changing, () => `${this.#name}: needless ${change}`);
      this.#follows = this.oracle.commit();
    }
    const expected = this.#follows.shift();
    expect(
      change === expected,
      () => `${this.#name}: ${change} instead of ${expected}`,
    );
    if (change === "DEL") {
      const gone = result === -ENOENT || result === -EBADF;
      expect(result === 0 || gone, () => `${this.#name}: DEL gave ${result}`);
      return;
    }
    const { kernel } = this.oracle;
    // EPOLLET is the sign bit.
    expect(
      (mask | 0) === (kernel | 0),
      () => `${this.#name}: ${change} of mask ${mask} instead of ${kernel}`,
    );
    if (result >= 0) return;
    this.oracle.refuse(-result);
    this.#follows = change === "MOD" ? ["DEL"] : [];
  }

  /** The kernel has reported this descriptor. */
  reported(mask: number): void {
    this.oracle.report(mask);
    if ((mask & EPOLLRDHUP) !== 0) this.pendingEof = true;
    if ((mask & EPOLLOUT) !== 0) this.full = false;
  }

  /** The read or write handler is called. */
  called(direction: Direction): void {
    const { oracle } = this;
    expect(!oracle.closed, () => `${this.#name}: ${direction} after close`);
    expect(
      oracle.due.delete(direction),
      () => `${this.#name}: ${direction} handler called, and was not due`,
    );
    this.owed[direction] = false;
  }

  /** The error handler, or `onError`, is told of a failed change or a hang-up. */
  failed(errno: number | null): void {
    const { oracle } = this;
    const told = errno ?? "hang-up";
    expect(!oracle.closed, () => `${this.#name}: an error after close`);
    expect(
      oracle.trouble === told,
      () => `${this.#name}: told of ${told} instead of ${oracle.trouble}`,
    );
    oracle.trouble = null;
  }

  /** Bytes have come. */
  hasArrived(bytes: number): void {
    this.#unread += bytes;
    if (bytes > 0) this.owed.read = true;
  }

  /** The end has come, or an error. */
  hasEnded(): void {
    this.#ended = true;
    this.owed.read = true;
  }

  /** Somebody has read so many bytes. */
  isTaken(bytes: number): void {
    this.#unread = Math.max(0, this.#unread - bytes);
    if (!this.#isThere("read")) this.owed.read = false;
  }

  /** There is room to write again. */
  hasRoom(): void {
    if (this.full) this.owed.write = true;
    this.full = false;
  }

  /** The user has met EAGAIN. */
  wouldBlock(direction: Direction): void {
    this.oracle.ready[direction] = false;
    this.owed[direction] = false;
    if (direction === "write") this.full = true;
  }

  /** Whether nothing is queued for it, and the kernel has what it should. */
  assertDone(): void {
    const { oracle } = this;
    const due = [...oracle.due, ...(oracle.trouble === null ? [] : ["error"])];
    expect(due.length === 0, () => `${this.#name}: ${due} was never called`);
  }

  /** Compares what a user can see. */
  compare(): void {
    const { event, oracle } = this;
    const seen = [
      event.readState,
      event.writeState,
      event.readReady,
      event.writeReady,
      event.changing,
      event.pendingEof,
    ];
    const expected = [
      oracle.state.read,
      oracle.state.write,
      oracle.ready.read,
      oracle.ready.write,
      oracle.changing,
      this.pendingEof,
    ];
    for (let index = 0; index < seen.length; index++) {
      expect(
        seen[index] === expected[index],
        () => `${this.#name}: [${seen}] instead of [${expected}]`,
      );
    }
  }

  /** Whether a handler must still be called. */
  get isOwed(): boolean {
    return this.#owed("read") || this.#owed("write");
  }

  /** Nothing has happened for a while: what is owed will never come. */
  assertNothingOwed(): void {
    for (const direction of ["read", "write"] as const) {
      const lost = this.#owed(direction);
      expect(!lost, () => `${this.#name}: lost an edge of ${direction}`);
    }
  }

  #owed(direction: Direction): boolean {
    return this.owed[direction] && this.oracle.isActive(direction);
  }

  #isThere(direction: Direction): boolean {
    if (direction === "read") return this.#unread > 0 || this.#ended;
    return !this.full && this.kind !== "pipeReader";
  }
}

/** The verbs after which a handler must be called for what is there. */
const ENABLES: Record<Direction, readonly Verb[]> = {
  read: ["enable", "enableRead", "oneshotRead", "enableAccept"],
  write: ["enable", "enableWrite", "oneshotWrite"],
};
