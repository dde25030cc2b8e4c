/** What programs do to descriptors, as data that can be printed and shrunk. */
import fc from "fast-check";
import { VERBS } from "../../support/matrix_oracle.ts";
import type { Direction, Verb } from "../../support/matrix_oracle.ts";
import type { Trigger } from "../../../mod.ts";
import { type Kind, KINDS } from "./descriptor_ends.ts";

/** Descriptors at a time. */
export const PLACES = 5;

/** One step. Those whose place is empty, or taken, do nothing. */
export type DescriptorStep =
  | { do: "open"; at: number; kind: Kind; errorHandler: boolean }
  | { do: "verb"; at: number; verb: Verb }
  | { do: "read" | "write" | "fill" | "drain"; at: number }
  | { do: "peerWrites" | "peerDrains" | "peerCloses"; at: number }
  /** close(2) behind the engine's back, while a duplicate lives on. */
  | { do: "abandon"; at: number }
  /** The peers of what was abandoned write. */
  | { do: "haunt" }
  | { do: "commit" | "poll" | "dispatch" | "turn" | "settle" }
  /** What the next handler of a direction does. */
  | { do: "script"; at: number; direction: Direction; actions: HandlerStep[] };

/** What a handler can do. */
export type HandlerStep =
  | Exclude<
    DescriptorStep,
    { do: "dispatch" | "turn" | "settle" | "script" }
  >
  | { do: "commit" | "poll" | "throw" };

/** An engine's options, and the steps. */
export interface DescriptorScenario {
  readonly trigger: Trigger;
  readonly eventsMax: number;
  readonly changesMax: number;
  readonly dispatchMax: number;
  readonly onError: boolean;
  readonly steps: readonly DescriptorStep[];
}

const at = fc.nat(PLACES - 1);

function plain<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names) });
}

function placed<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names), at });
}

const ENABLING: readonly Verb[] = [
  "enable",
  "enableRead",
  "enableWrite",
  "oneshotRead",
  "oneshotWrite",
];
const open = fc.record({
  do: fc.constant("open" as const),
  at,
  // Sockets cost most, and differ least.
  kind: fc.constantFrom(...KINDS, ...KINDS.slice(0, 3), ...KINDS.slice(0, 3)),
  errorHandler: fc.boolean(),
});
const verb = fc.record({
  do: fc.constant("verb" as const),
  at,
  // A descriptor lives for a while, and is to have something to do.
  verb: fc.constantFrom(
    ...VERBS,
    ...VERBS.filter((verb) => verb !== "close"),
    ...ENABLING,
    ...ENABLING,
  ),
});
const handlerStep: fc.Arbitrary<HandlerStep> = fc.oneof(
  { weight: 8, arbitrary: verb },
  { weight: 6, arbitrary: placed("read", "write", "drain") },
  { weight: 2, arbitrary: placed("peerWrites", "peerCloses") },
  { weight: 1, arbitrary: open },
  { weight: 2, arbitrary: plain("commit", "poll", "throw") },
);
const script = fc.record({
  do: fc.constant("script" as const),
  at,
  direction: fc.constantFrom("read" as const, "write" as const),
  actions: fc.array(handlerStep, { minLength: 1, maxLength: 3 }),
});
const step: fc.Arbitrary<DescriptorStep> = fc.oneof(
  { weight: 8, arbitrary: open },
  { weight: 16, arbitrary: verb },
  { weight: 5, arbitrary: placed("read", "write", "drain") },
  { weight: 1, arbitrary: placed("fill") },
  { weight: 10, arbitrary: placed("peerWrites", "peerWrites", "peerDrains") },
  { weight: 1, arbitrary: placed("peerCloses") },
  { weight: 1, arbitrary: placed("abandon") },
  { weight: 1, arbitrary: plain("haunt") },
  { weight: 5, arbitrary: plain("commit", "poll", "dispatch") },
  { weight: 12, arbitrary: plain("turn") },
  { weight: 1, arbitrary: plain("settle") },
  { weight: 4, arbitrary: script },
);

/** Random scenarios. */
export const descriptorScenarios: fc.Arbitrary<DescriptorScenario> = fc.record({
  trigger: fc.constantFrom("edge" as const, "level" as const),
  eventsMax: fc.constantFrom(64, 64, 2, 1),
  changesMax: fc.constantFrom(64, 64, 3, 1),
  dispatchMax: fc.constantFrom(1024, 1024, 3, 1),
  onError: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 120, size: "max" }),
});
