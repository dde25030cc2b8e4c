/**
 * What a listener does when the process or the system is out of descriptors or
 * memory: make room, turn clients away, or rest.
 *
 * @module
 */

import {
  EMFILE,
  ENFILE,
  O_CLOEXEC,
  O_RDONLY,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SystemError,
} from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import type { Connection } from "./connection.ts";

/**
 * What to do with clients when there is no descriptor or memory for them:
 *
 * - `"wait"`: they wait in the kernel's backlog, and are looked after every
 *   100 ms, and whenever a connection of the listener closes;
 * - `"closeIdle"`: the listener's connections that were idle for longest are
 *   closed for them, ten at a time; where none is idle, as `"wait"`;
 * - `"shed"`: they are accepted and closed at once, by a descriptor held in
 *   reserve; where there is no memory, as `"wait"`.
 */
export type ExhaustedPolicy = "wait" | "closeIdle" | "shed";

/** Idle connections closed at a time. */
const CLOSED_MAX = 10;
/** Clients turned away before other work has its turn. */
const SHED_MAX = 64;

/** Watches one listener's trouble. */
export class Exhaustion {
  /** Clients that were turned away. */
  shed = 0;

  readonly #parts: EngineParts;
  readonly #policy: ExhaustedPolicy;
  readonly #source: object;
  /** Open connections, where some may have to be closed. */
  readonly #connections: Set<Connection> | null;
  #reserve = -1;
  /** Told of already, and the backlog has not been empty since. */
  #reported = false;

  constructor(parts: EngineParts, policy: ExhaustedPolicy, source: object) {
    if (policy !== "wait" && policy !== "closeIdle" && policy !== "shed") {
      throw new TypeError(
        `Cannot listen: onExhausted is ${policy}, not "wait", "closeIdle" or "shed"`,
      );
    }
    this.#parts = parts;
    this.#policy = policy;
    this.#source = source;
    this.#connections = policy === "closeIdle" ? new Set() : null;
  }

  /** Takes what may be needed later. */
  prepare(): void {
    if (this.#policy === "shed") this.#openReserve();
  }

  /** Whether connections have to note their activity. */
  get notesActivity(): boolean {
    return this.#connections !== null;
  }

  /** A connection has opened. */
  opened(connection: Connection): void {
    this.#connections?.add(connection);
  }

  /** A connection has closed. */
  closed(connection: Connection): void {
    this.#connections?.delete(connection);
  }

  /** The backlog is empty: what comes next is new trouble. */
  passed(): void {
    this.#reported = false;
  }

  /**
   * accept4(2) has failed on `fd`, though somebody waits. Returns whether
   * accepting can go on; otherwise it has to rest.
   */
  relieve(fd: number, errno: number): boolean {
    this.report(new SystemError("accept4", errno, { fd }));
    if (this.#connections !== null) {
      return this.#closeIdle(this.#connections) > 0;
    }
    const descriptors = errno === EMFILE || errno === ENFILE;
    return this.#policy === "shed" && descriptors && this.#turnAway(fd);
  }

  /** Tells the engine's `onError`, unless it has been told of this trouble. */
  report(error: SystemError): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#parts.report(error, this.#source);
  }

  /** The listener is closed. */
  close(): void {
    this.#closeReserve();
  }

  #closeIdle(connections: Set<Connection>): number {
    const turn = this.#parts.metrics.turns;
    const idle = [...connections]
      .filter((connection) => connection.idleSinceTurn < turn)
      .sort((one, other) => one.idleSinceTurn - other.idleSinceTurn)
      .slice(0, CLOSED_MAX);
    for (const connection of idle) connection.close();
    return idle.length;
  }

  /** Accepts and closes with the room of the reserve. False if that is lost. */
  #turnAway(fd: number): boolean {
    const { calls } = this.#parts;
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    for (let count = 0; count < SHED_MAX; count++) {
      this.#closeReserve();
      const accepted = calls.accept4(fd, flags);
      if (accepted >= 0) {
        this.shed++;
        calls.close(accepted);
      }
      // Another thread may have been quicker: there is nothing to shed with.
      if (!this.#openReserve()) return false;
      if (accepted < 0) break;
    }
    return true;
  }

  #openReserve(): boolean {
    const { calls } = this.#parts;
    this.#reserve = calls.open("/dev/null", O_RDONLY | O_CLOEXEC);
    return this.#reserve >= 0;
  }

  #closeReserve(): void {
    if (this.#reserve >= 0) this.#parts.calls.close(this.#reserve);
    this.#reserve = -1;
  }
}
