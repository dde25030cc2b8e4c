/** One run of a scenario: what it may expect, and what of it is counted. */
import type { SystemCalls } from "../../../ffi/system_calls.ts";

/** What handlers throw when they are told to. */
export class ScriptedError extends Error {
  override readonly name = "ScriptedError";
}

/** What runs of scenarios have done. */
export interface Counts {
  steps: number;
  handlers: number;
  faults: number;
}

/** Counts what one run does. */
export class Trial {
  /** Starts to inject faults: what is needed to begin with is open. */
  readonly begin: () => void;
  /** Whether calls may fail without a reason that the model knows. */
  readonly faulty: boolean;
  /** Calls without faults, for the peers: they always know what they did. */
  readonly peerCalls: SystemCalls;
  readonly #counts: Counts;

  constructor(
    counts: Counts,
    peerCalls: SystemCalls,
    faulty: boolean,
    begin: () => void,
  ) {
    this.#counts = counts;
    this.peerCalls = peerCalls;
    this.faulty = faulty;
    this.begin = begin;
  }

  /** A step begins. */
  step(): void {
    this.#counts.steps++;
  }

  /** A handler is called. */
  handler(): void {
    this.#counts.handlers++;
  }
}
