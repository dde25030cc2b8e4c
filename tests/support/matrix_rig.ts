/**
 * One descriptor in a real engine beside its oracle. Each step is done to both,
 * and what differs is noted: the states, the kernel's own view, the calls made,
 * the handlers run.
 */
import type { Engine, EventState, FdEvent, Trigger } from "../../mod.ts";
import {
  check,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  eventfd,
  read,
  systemCalls,
  write,
} from "../../ffi/mod.ts";
import { maskText } from "../conformance/raw_epoll.ts";
import { CountingCalls } from "./counting_calls.ts";
import { epollEntry } from "./fdinfo.ts";
import {
  type Change,
  type Direction,
  Oracle,
  type Verb,
} from "./matrix_oracle.ts";

/** A verb, a commit, the kernel's report of one direction, the queues drained. */
export type Step = Verb | "commit" | "reportRead" | "reportWrite" | "dispatch";

/** An eventfd at this counter has something to read and no room to write. */
const FULL = words(0xfffffffffffffffen);
const scratch = new Uint8Array(8);

/** An eventfd registered with an engine, and what it should be doing. */
export class Rig {
  readonly event: FdEvent;
  /** What differed, each as `step: what, found, expected`. */
  readonly differences: string[] = [];
  readonly #oracle: Oracle;
  readonly #engine: Engine;
  readonly #counting: CountingCalls;
  readonly #called: Direction[] = [];

  constructor(engine: Engine, counting: CountingCalls, trigger: Trigger) {
    this.#engine = engine;
    this.#counting = counting;
    this.#oracle = new Oracle(trigger);
    const fd = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    this.event = engine.register(fd, {
      read: () => void this.#called.push("read"),
      write: () => void this.#called.push("write"),
    });
  }

  /** The states of both directions. */
  get states(): [EventState, EventState] {
    return [this.event.readState, this.event.writeState];
  }

  /** Does a step to both, and compares. */
  step(step: Step): void {
    this.#counting.reset();
    switch (step) {
      case "commit":
        return this.#commit();
      case "dispatch":
        return this.#dispatch();
      case "reportRead":
        return this.#report("read", FULL);
      case "reportWrite":
        return this.#report("write", null);
      default:
        return this.#verb(step);
    }
  }

  /** Sets the flags of both directions. */
  setReady(ready: boolean): void {
    this.event.readReady = this.event.writeReady = ready;
    this.#oracle.ready.read = this.#oracle.ready.write = ready;
  }

  /** Closes the event; all of it leaves the engine. */
  close(): void {
    this.event.close();
    this.#engine.commit();
    this.#engine.dispatch();
  }

  #verb(verb: Verb): void {
    if (this.#oracle.closed && verb !== "close") {
      this.#same(verb, "thrown", thrown(() => this.event[verb]()), "EBADF");
      return;
    }
    const changes = this.#oracle.apply(verb);
    this.event[verb]();
    this.#same(verb, "calls", this.#calls(), changes.join());
    this.#compareStates(verb);
    if (verb === "close") this.#compareKernel(verb);
  }

  #commit(): void {
    const changes = this.#oracle.commit();
    const returned = this.#engine.commit();
    this.#same("commit", "calls", this.#calls(), changes.join());
    this.#same("commit", "result", returned, changes.length);
    this.#compareStates("commit");
    this.#compareKernel("commit");
  }

  #dispatch(): void {
    const expected = [...this.#oracle.due].sort();
    this.#oracle.due.clear();
    this.#called.length = 0;
    const ran = this.#engine.dispatch();
    this.#same(
      "dispatch",
      "handlers",
      this.#called.sort().join(),
      expected.join(),
    );
    this.#same("dispatch", "result", ran, expected.length);
  }

  /** Has the kernel report one direction, and leaves neither to be reported. */
  #report(direction: Direction, counter: Uint8Array | null): void {
    const { fd } = this.event;
    read(fd, scratch);
    if (counter !== null) write(fd, counter);
    this.#oracle.report(direction === "read" ? EPOLLIN : EPOLLOUT);
    this.#same(direction, "events", this.#engine.poll(0), 1);
    this.#compareStates(`report ${direction}`);
    this.#compareKernel(`report ${direction}`);
    this.#same(direction, "flags", this.#flags(), this.#oracleFlags());
  }

  #compareStates(step: string): void {
    const { read, write } = this.#oracle.state;
    this.#same(step, "states", this.states.join(), `${read},${write}`);
    this.#same(step, "changing", this.event.changing, this.#oracle.changing);
  }

  #compareKernel(step: string): void {
    const mask = epollEntry(this.#engine.fd, this.event.fd)?.mask ?? 0;
    // A spent one-shot keeps nothing else, what is armed has these two always.
    const { kernel } = this.#oracle;
    const armed = kernel !== 0 && kernel !== EPOLLONESHOT;
    const expected = kernel | (armed ? EPOLLERR | EPOLLHUP : 0);
    this.#same(step, "kernel", maskText(mask), maskText(expected));
  }

  /** All calls made since the step began. */
  #calls(): string {
    return this.#counting.log.map(({ name, args }) =>
      name === "epoll_ctl" ? changeName(args[1]) : name
    ).join();
  }

  #flags(): string {
    return `${this.event.readReady},${this.event.writeReady}`;
  }

  #oracleFlags(): string {
    const { read, write } = this.#oracle.ready;
    return `${read},${write}`;
  }

  #same(step: string, what: string, found: unknown, expected: unknown): void {
    if (found === expected) return;
    this.differences.push(`${step}: ${what} ${found}, expected ${expected}`);
  }
}

/** An engine with its calls noted, for rigs. */
export function countedCalls(): CountingCalls {
  return new CountingCalls(systemCalls);
}

function changeName(operation: unknown): Change {
  if (operation === EPOLL_CTL_ADD) return "ADD";
  return operation === EPOLL_CTL_DEL ? "DEL" : "MOD";
}

function thrown(run: () => void): string {
  try {
    run();
    return "nothing";
  } catch (error) {
    return error instanceof Error && "code" in error
      ? String(error.code)
      : String(error);
  }
}

function words(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}
