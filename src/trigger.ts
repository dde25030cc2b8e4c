/**
 * The edge- and the level-triggered interface: one implementation with
 * different mode bits and two rules that differ.
 *
 * @module
 */

import { EPOLLET, EPOLLPRI, EPOLLRDHUP } from "../ffi/mod.ts";

/**
 * How the kernel reports readiness: `"edge"` when it changes, `"level"` as long
 * as it lasts.
 */
export type Trigger = "edge" | "level";

/** What an engine of one trigger does differently from the other. */
export interface TriggerRules {
  /** The bits that go with the interest in every mask but a one-shot's. */
  readonly mode: number;
  /** Whether enabling a direction that is active already arms it once more. */
  readonly rearms: boolean;
  /**
   * Whether the kernel would report a muted direction on every wait, so that
   * the engine has to disarm it when it becomes ready.
   */
  readonly repeats: boolean;
}

const EDGE: TriggerRules = {
  mode: EPOLLET | EPOLLRDHUP,
  rearms: true,
  repeats: false,
};

/** Streams in an edge engine: urgent data makes reads stop early. */
const STREAM: TriggerRules = { ...EDGE, mode: EDGE.mode | EPOLLPRI };

const LEVEL: TriggerRules = { mode: 0, rearms: false, repeats: true };

/** The rules for stream sockets of an engine with these rules. */
export function streamRules(rules: TriggerRules): TriggerRules {
  return rules.repeats ? rules : STREAM;
}

/** The rules of a trigger. Throws a TypeError for a name that is neither. */
export function triggerRules(trigger: Trigger): TriggerRules {
  if (trigger === "edge") return EDGE;
  if (trigger === "level") return LEVEL;
  throw new TypeError(
    `Cannot create an engine: the trigger is ${trigger}, not "edge" or "level"`,
  );
}
