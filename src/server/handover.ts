/**
 * Accepting on the server's own thread, beside its event loop, for workers that
 * take connections in turn.
 *
 * @module
 */

import { systemCalls } from "../../ffi/mod.ts";
import { Engine } from "../engine.ts";
import type { Listener } from "../net/listener.ts";
import type { ListenOptions } from "../net/options.ts";
import type { Timer } from "../timers.ts";

/** Connections that wait for a worker; more are closed. */
const HELD_MAX = 1024;
/** How long after no worker took a connection they are asked again. */
const HELD_MS = 100;

/** Who takes connections. */
export interface Taker {
  /** Whether it has taken the connection; if not, it is still the giver's. */
  give(fd: number): boolean;
}

/** Deals the connections of one listening socket out to takers. */
export class Handover {
  readonly #takers: readonly Taker[];
  readonly #acceptor: Engine;
  readonly #listener: Listener;
  /** Accepted, and taken by no worker yet. */
  readonly #held: number[] = [];
  #retry: Timer | null = null;
  #next = 0;

  /** Takes over the listening socket of `options`. */
  constructor(
    options: ListenOptions,
    takers: readonly Taker[],
    onError: (error: unknown) => void,
  ) {
    this.#takers = takers;
    this.#acceptor = new Engine({ onError });
    this.#listener = this.#acceptor.listen(options, {
      open: (connection) => this.#deal(connection.detach()),
    });
    this.#acceptor.start().catch(onError);
  }

  /** Some of the takers may have room now. */
  dealHeld(): void {
    this.#retry?.cancel();
    this.#retry = null;
    for (const fd of this.#held.splice(0)) this.#deal(fd);
  }

  /**
   * Gives away what is in the backlog, and closes the socket, and connections
   * that nobody takes. Closing again does nothing.
   */
  close(): void {
    this.#listener.drain();
    this.#acceptor.close();
    for (const fd of this.#held.splice(0)) systemCalls.close(fd);
  }

  /** In their order, so that one that waits is not overtaken. */
  #deal(fd: number): void {
    if (this.#held.length === 0 && this.#give(fd)) return;
    if (this.#held.length === HELD_MAX) {
      systemCalls.close(fd);
      return;
    }
    this.#held.push(fd);
    this.#retry ??= this.#acceptor.timer(HELD_MS, () => this.dealHeld());
  }

  #give(fd: number): boolean {
    const count = this.#takers.length;
    for (let tried = 0; tried < count; tried++) {
      this.#next = (this.#next + 1) % count;
      if (this.#takers[this.#next].give(fd)) return true;
    }
    return false;
  }
}
