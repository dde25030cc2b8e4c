/**
 * What a trace tells.
 *
 * @module
 */

/**
 * What a {@linkcode TraceEntry} is about.
 *
 * - `"verb"`: a verb of an event or a timer was used.
 * - `"commit"`: changes were applied.
 * - `"call"`: a system call was made.
 * - `"event"`: the kernel reported an event.
 * - `"stale"`: an event or a queued handler was dropped, as its descriptor was
 *   closed, or its direction disabled, in the meantime.
 * - `"begin"`, `"end"`, `"throw"`: a handler began, returned, or threw.
 */
export type TraceKind =
  | "verb"
  | "commit"
  | "call"
  | "event"
  | "stale"
  | "begin"
  | "end"
  | "throw";

/** One step of an engine that was made with `trace`. As a string it is a line. */
export interface TraceEntry {
  /** What it is about. */
  readonly kind: TraceKind;
  /** Milliseconds since the engine was made, with a fraction. */
  readonly timeMs: number;
  /** How many handlers it happened within. */
  readonly depth: number;
  /** The verb's, the system call's or the handler's name. */
  readonly name: string;
  /** The descriptor concerned; null where there is none. */
  readonly fd: number | null;
  /** The step, in the form of strace(1). */
  readonly text: string;
  /** What a handler threw, for `"throw"`. */
  readonly error?: unknown;
  /** The line: time in seconds, and the step, indented by its depth. */
  toString(): string;
}

/** @internal What an entry is made of. */
export type TraceStep = Omit<TraceEntry, "toString">;

/** @internal An entry that prints as its line. */
export function traceEntry(step: TraceStep): TraceEntry {
  const { timeMs, depth, text } = step;
  const seconds = (timeMs / 1000).toFixed(6);
  return { ...step, toString: () => `${seconds} ${"  ".repeat(depth)}${text}` };
}
