/** Programs of system calls as data, so that two kernels can run the same one. */
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvents,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "../../ffi/mod.ts";
import { maskText } from "../conformance/raw_epoll.ts";
import { Ends, type Family } from "./ends.ts";
import type { World } from "./world.ts";

/** What a program can open. */
export type Kind =
  | "eventfd"
  | "semaphore"
  | "pipe"
  | "epoll"
  | "pair"
  | "socket"
  | "listener";

/**
 * A step. `at` and its like choose among the descriptors made so far, counted
 * round; a closed one stands for whatever has its number now.
 */
export type Step =
  | { do: "open"; kind: Kind }
  | {
    do: "connect" | "accept" | "close" | "dup" | "error" | "reset";
    at: number;
  }
  | { do: "read" | "write" | "fill" | "drain"; at: number; bytes: number }
  | { do: "shutdown"; at: number; how: keyof typeof HOWS }
  | {
    do: "control";
    set: number;
    operation: keyof typeof OPERATIONS;
    at: number;
    mask: number;
  }
  | { do: "wait"; set: number; eventsMax: number };

/** What a step came to, as both kernels must have it. */
export type Outcome = number | string | Outcome[];

const HOWS = { read: SHUT_RD, write: SHUT_WR, both: SHUT_RDWR };
const OPERATIONS = {
  add: EPOLL_CTL_ADD,
  modify: EPOLL_CTL_MOD,
  delete: EPOLL_CTL_DEL,
};
const SEMAPHORE = 1;
/** The longest transfer of a step. */
const TRANSFER_MAX = 8_192;
const EVENTS_MAX = 64;

/** A descriptor of a program. */
interface Handle {
  readonly kind: Kind;
  readonly fd: number;
  closed: boolean;
}

/** Runs programs in a world. */
export class Machine implements Disposable {
  readonly #ends: Ends;
  readonly #family: Family;
  readonly #handles: Handle[] = [];
  readonly #buffer = new Uint8Array(TRANSFER_MAX);
  readonly #events = new EpollEvents(EVENTS_MAX);
  #written = 0;

  constructor(world: World, family: Family) {
    this.#ends = new Ends(world.calls);
    this.#family = family;
  }

  /** Makes a step, and says what it came to. */
  step(step: Step): Outcome {
    if (step.do === "open") return this.#open(step.kind);
    if (this.#handles.length === 0) return "nothing";
    if (step.do === "wait") return this.#wait(step.set, step.eventsMax);
    if (step.do === "control") return this.#control(step);
    const handle = this.#owner(step.at);
    if (handle === undefined) return "closed";
    const { calls } = this.#ends;
    const { fd } = handle;
    switch (step.do) {
      case "connect":
        return this.#connect(handle);
      case "accept": {
        const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
        const accepted = calls.accept4(fd, flags);
        return accepted < 0 ? accepted : this.#made("pair", accepted);
      }
      case "close":
        handle.closed = true;
        return this.#ends.close(fd);
      case "dup":
        return this.#made(handle.kind, this.#ends.dup(fd));
      case "error":
        return this.#takeError(fd);
      case "read":
        return this.#read(fd, step.bytes);
      case "write":
        return this.#write(handle, step.bytes);
      case "fill":
        return this.#repeated(handle, () => this.#write(handle, step.bytes));
      case "drain":
        return this.#repeated(handle, () => this.#read(fd, step.bytes)[0]);
      case "reset":
        if (handle.kind !== "pair") return "no connection";
        handle.closed = true;
        this.#ends.reset(fd);
        return "reset";
      case "shutdown":
        return calls.shutdown(fd, HOWS[step.how]);
    }
  }

  [Symbol.dispose](): void {
    this.#ends[Symbol.dispose]();
  }

  /** The handle that has the number of a chosen one. */
  #owner(at: number): Handle | undefined {
    const { fd } = this.#handles[at % this.#handles.length];
    return this.#handles.find((one) => one.fd === fd && !one.closed);
  }

  /** Which handle had the number first: the kernels choose other numbers. */
  #made(kind: Kind, ...fds: number[]): Outcome {
    return fds.map((fd) => {
      this.#ends.own(fd);
      this.#handles.push({ kind, fd, closed: false });
      return this.#handles.findIndex((one) => one.fd === fd);
    });
  }

  #open(kind: Kind): Outcome {
    switch (kind) {
      case "eventfd":
        return this.#made(kind, this.#ends.eventfd());
      case "semaphore":
        return this.#made("eventfd", this.#ends.eventfd(2, SEMAPHORE));
      case "pipe":
        return this.#made(kind, ...this.#ends.pipe());
      case "epoll":
        return this.#made(kind, this.#ends.calls.epoll_create1(0));
      case "pair":
        return this.#made(kind, ...this.#ends.pair(this.#family));
      case "socket":
        return this.#made(kind, this.#ends.socket(this.#family));
      case "listener":
        return this.#made(kind, this.#ends.listener(this.#family, 1));
    }
  }

  /** Connects a new socket to a listener. */
  #connect(listener: Handle): Outcome {
    if (listener.kind !== "listener") return "no listener";
    const name = this.#ends.nameOf(listener.fd);
    const client = this.#ends.socket(this.#family);
    const result = this.#ends.calls.connect(client, name);
    return [result, this.#made("pair", client)];
  }

  #takeError(fd: number): Outcome {
    const error = new Int32Array(1);
    const bytes = new Uint8Array(error.buffer);
    const { calls } = this.#ends;
    const result = calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, bytes);
    return [result, error[0]];
  }

  /** The count, and a sum over the bytes. */
  #read(fd: number, length: number): [number, number] {
    const buffer = this.#buffer.subarray(0, length);
    const count = this.#ends.calls.read(fd, buffer);
    const sum = buffer.subarray(0, Math.max(0, count))
      .reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
    return [count, sum];
  }

  #write(handle: Handle, length: number): number {
    const bytes = this.#buffer.subarray(0, length);
    if (handle.kind === "eventfd") {
      // A long one is the most that a counter takes.
      const value = length > 1_000 ? 2n ** 64n - 2n : BigInt(length);
      return this.#ends.calls.write(
        handle.fd,
        new Uint8Array(BigUint64Array.of(value).buffer),
      );
    }
    bytes.forEach((_, index) => bytes[index] = this.#written++);
    return this.#ends.calls.write(handle.fd, bytes);
  }

  /** Transfers until nothing goes on: the bytes, and why. */
  #repeated(handle: Handle, transfer: () => number): Outcome {
    if (handle.kind !== "pipe" && handle.kind !== "pair") return "no stream";
    let sum = 0;
    for (;;) {
      const count = transfer();
      if (count <= 0) return [sum, count];
      sum += count;
    }
  }

  #control(step: Extract<Step, { do: "control" }>): Outcome {
    const set = this.#owner(step.set);
    if (set === undefined) return "closed";
    const index = step.at % this.#handles.length;
    const { fd } = this.#handles[index];
    this.#events.set(0, step.mask, index, step.mask);
    return this.#ends.calls.epoll_ctl(
      set.fd,
      OPERATIONS[step.operation],
      fd,
      this.#events.words,
    );
  }

  /** What is reported: for which handle, and the mask. */
  #wait(at: number, eventsMax: number): Outcome {
    const set = this.#owner(at);
    if (set === undefined) return "closed";
    const events = this.#events;
    const { calls } = this.#ends;
    const count = calls.epoll_wait(set.fd, events.words, eventsMax, 0);
    if (count < 0) return count;
    return Array.from({ length: count }, (_, index) => [
      events.slot(index),
      maskText(events.mask(index)),
    ]);
  }
}

/** Runs a program from nothing; `settleMs` pass after each step. */
export function outcomes(
  world: World,
  family: Family,
  steps: readonly Step[],
  settleMs: number,
): Outcome[] {
  using machine = new Machine(world, family);
  return steps.map((step) => {
    const outcome = machine.step(step);
    if (settleMs > 0) world.elapse(settleMs);
    return outcome;
  });
}
