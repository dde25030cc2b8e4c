/**
 * What every verb must do to one descriptor, from the documented rules alone:
 * nothing here comes from `src/`, so that it can disagree with it.
 */
import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../../ffi/constants.ts";
import type { EventState, Trigger } from "../../mod.ts";

/** Every verb of an event that takes no argument. */
export const VERBS = [
  "enable",
  "disable",
  "delete",
  "close",
  "enableRead",
  "enableWrite",
  "disableRead",
  "disableWrite",
  "blockRead",
  "blockWrite",
  "oneshotRead",
  "oneshotWrite",
  "enableAccept",
] as const;

/** The name of a verb. */
export type Verb = typeof VERBS[number];

/** A direction of a descriptor. */
export type Direction = "read" | "write";

/** An epoll_ctl call. */
export type Change = "ADD" | "MOD" | "DEL";

/** What the error handler is to be told: a hang-up, or the errno of a failed change. */
export type Trouble = "hang-up" | number;

const DIRECTIONS = ["read", "write"] as const;
const BITS = { read: EPOLLIN, write: EPOLLOUT };
const ACCEPT = EPOLLIN | EPOLLEXCLUSIVE;
const NONE = 0;
const ORDER: EventState[] = [
  "inactive",
  "disabled",
  "blocked",
  "oneshot",
  "active",
];

/** The documented behaviour of one event, as a model. */
export class Oracle {
  readonly state: Record<Direction, EventState> = {
    read: "inactive",
    write: "inactive",
  };
  readonly ready: Record<Direction, boolean> = { read: false, write: false };
  /** The handlers that are queued. */
  readonly due = new Set<Direction>();
  /** What the error handler is queued for. */
  trouble: Trouble | null = null;
  /** The mask that the kernel has, and the one it should have; 0: no entry. */
  kernel = NONE;
  wish = NONE;
  closed = false;

  /** Directions whose mask is sent though the kernel has it: re-arm, one-shot. */
  readonly #demands = new Set<Direction>();
  readonly #edge: boolean;
  readonly #hasErrorHandler: boolean;
  #accepts = false;

  constructor(trigger: Trigger, hasErrorHandler = false) {
    this.#edge = trigger === "edge";
    this.#hasErrorHandler = hasErrorHandler;
  }

  get changing(): boolean {
    return this.wish !== this.kernel || this.#demands.size > 0;
  }

  /** Does what `verb` should. Returns the calls made at once. */
  apply(verb: Verb): (Change | "close")[] {
    switch (verb) {
      case "enable":
        this.#accepts = false;
        this.state.read = this.state.write = "active";
        this.wish = this.#mask();
        this.#queueReady("read");
        this.#queueReady("write");
        break;
      case "disable":
        this.#drop();
        // A spent one-shot stays in the kernel, to be armed by one call.
        if (
          this.#above("read", "disabled") || this.#above("write", "disabled")
        ) {
          this.#clear();
        }
        break;
      case "delete":
        this.#clear();
        break;
      case "close": {
        if (this.closed) return [];
        const had = this.kernel !== NONE;
        this.#clear();
        this.trouble = null;
        this.kernel = NONE;
        this.closed = true;
        return had ? ["DEL", "close"] : ["close"];
      }
      case "enableRead":
        this.#enable("read");
        break;
      case "enableWrite":
        this.#enable("write");
        break;
      case "disableRead":
        this.#disable("read");
        break;
      case "disableWrite":
        this.#disable("write");
        break;
      case "blockRead":
        this.#block("read");
        break;
      case "blockWrite":
        this.#block("write");
        break;
      case "oneshotRead":
        this.#oneshot("read");
        break;
      case "oneshotWrite":
        this.#oneshot("write");
        break;
      case "enableAccept":
        this.#accepts = true;
        this.state.read = "active";
        this.state.write = "inactive";
        this.due.delete("write");
        this.#demands.delete("write");
        this.wish = ACCEPT;
        this.#queueReady("read");
        break;
    }
    return [];
  }

  /** Brings the kernel's mask to the wish. Returns the calls made. */
  commit(): Change[] {
    if (!this.changing) return [];
    const { kernel, wish } = this;
    this.kernel = wish;
    this.#demands.clear();
    if (wish === NONE) return ["DEL"];
    if (kernel === NONE) return ["ADD"];
    // The kernel refuses any MOD of, or to, an exclusive entry.
    if (((kernel | wish) & EPOLLEXCLUSIVE) !== 0) return ["DEL", "ADD"];
    return ["MOD"];
  }

  /** Whether `direction` has its handler called when it becomes ready. */
  isActive(direction: Direction): boolean {
    return this.#above(direction, "blocked");
  }

  /** The kernel refuses a change with `errno`, and has no entry any more. */
  refuse(errno: number): void {
    this.#clear();
    this.kernel = NONE;
    this.trouble = errno;
  }

  /** The kernel reports `mask`. */
  report(mask: number): void {
    const active = DIRECTIONS.filter((direction) => this.isActive(direction));
    const reported = DIRECTIONS.filter((direction) => mask & BITS[direction]);
    const disarmed = (this.kernel & EPOLLONESHOT) !== 0;
    if (disarmed) this.kernel = this.wish = EPOLLONESHOT;
    for (const direction of reported) {
      this.ready[direction] = true;
      if (active.includes(direction)) this.#tell(direction);
      // Level: the kernel would report a muted direction on every wait.
      else if (this.state[direction] === "blocked" && !this.#edge) {
        if (!disarmed) this.#disable(direction);
      }
    }
    if ((mask & (EPOLLERR | EPOLLHUP)) === 0) return;
    if (reported.length === 0) this.#hangUp(active, disarmed);
    else if (!reported.some((direction) => active.includes(direction))) {
      for (const direction of active) this.#tell(direction);
    }
  }

  #tell(direction: Direction): void {
    this.due.add(direction);
    if (this.state[direction] !== "oneshot") return;
    this.state[direction] = "disabled";
    if (this.kernel !== EPOLLONESHOT) this.wish = this.#mask();
  }

  /** Trouble with nothing to read or write. */
  #hangUp(active: Direction[], disarmed: boolean): void {
    this.ready.read = this.ready.write = true;
    if (active.length === 0) {
      if (!this.#edge && !disarmed) this.#clear();
    } else if (this.#hasErrorHandler) {
      this.#clear();
      this.trouble = "hang-up";
    } else {
      for (const direction of active) this.#tell(direction);
    }
  }

  #enable(direction: Direction): void {
    const rearms = this.#edge && !this.#accepts &&
      this.state[direction] === "active" && !this.ready[direction];
    if (rearms) this.#demands.add(direction);
    if (direction === "write") this.#accepts = false;
    this.state[direction] = "active";
    this.wish = this.#mask();
    this.#queueReady(direction);
  }

  #disable(direction: Direction): void {
    const other = direction === "read" ? "write" : "read";
    this.state[direction] = "inactive";
    if (!this.#above(other, "disabled")) this.state[other] = "inactive";
    this.due.delete(direction);
    this.#demands.delete(direction);
    this.wish = this.#mask();
    if (this.wish === NONE) this.#demands.clear();
  }

  #block(direction: Direction): void {
    if (this.state[direction] === "inactive") return;
    this.state[direction] = "blocked";
    this.due.delete(direction);
    if (!this.#accepts) return;
    // A muted exclusive entry would swallow other engines' wake-ups.
    this.wish = NONE;
    this.#demands.clear();
  }

  #oneshot(direction: Direction): void {
    this.#accepts = false;
    this.state.read = this.state.write = "inactive";
    this.state[direction] = "oneshot";
    // What is there already is reported, as the mask is always sent.
    this.due.clear();
    this.#demands.clear();
    this.#demands.add(direction);
    this.wish = BITS[direction] | EPOLLONESHOT;
  }

  #clear(): void {
    this.#accepts = false;
    this.state.read = this.state.write = "inactive";
    this.#drop();
    this.#demands.clear();
    this.wish = NONE;
  }

  /** Drops what is queued, but for the news of a failed change. */
  #drop(): void {
    this.due.clear();
    if (this.trouble === "hang-up") this.trouble = null;
  }

  #queueReady(direction: Direction): void {
    if (this.ready[direction]) this.due.add(direction);
  }

  #above(direction: Direction, state: EventState): boolean {
    return ORDER.indexOf(this.state[direction]) > ORDER.indexOf(state);
  }

  /** The mask for the states: whatever is blocked or above stays armed. */
  #mask(): number {
    if (this.#accepts) return this.state.read === "active" ? ACCEPT : NONE;
    const armed = DIRECTIONS
      .filter((direction) => this.#above(direction, "disabled"));
    const [only] = armed;
    // A spent one-shot stays in the kernel, disarmed.
    if (only === undefined) {
      const { read, write } = this.state;
      return [read, write].includes("disabled") ? EPOLLONESHOT : NONE;
    }
    if (armed.length === 1 && this.state[only] === "oneshot") {
      return BITS[only] | EPOLLONESHOT;
    }
    const interest = armed.reduce((mask, one) => mask | BITS[one], 0);
    return interest | (this.#edge ? EPOLLET | EPOLLRDHUP : 0);
  }
}
