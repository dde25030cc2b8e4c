/** What programs do with signals, as data. */
import fc from "fast-check";
import type { SignalName } from "../../../mod.ts";

/** Watches at a time. */
export const WATCHES = 4;

/** Signals that are watched and raised. */
export const SIGNALS = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGRTMIN",
  "SIGRTMIN+1",
] as const satisfies SignalName[];

/** What can be done, from a handler too. */
export type SignalAction =
  | { do: "watch"; at: number; signal: typeof SIGNALS[number] }
  | { do: "close"; at: number }
  | { do: "raise"; signal: typeof SIGNALS[number]; times: number }
  | { do: "throw" };

/** One step. */
export type SignalStep =
  | Exclude<SignalAction, { do: "throw" }>
  | { do: "turn" | "settle" }
  /** What the next call of a watch's handler does. */
  | { do: "script"; at: number; actions: SignalAction[] };

/** An engine's option, and the steps. */
export interface SignalScenario {
  readonly dispatchMax: number;
  readonly steps: readonly SignalStep[];
}

const at = fc.nat(WATCHES - 1);
const signal = fc.constantFrom(...SIGNALS);
const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("watch" as const), at, signal }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("close" as const), at }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("raise" as const),
      signal,
      // More than one read takes.
      times: fc.constantFrom(1, 1, 1, 2, 20),
    }),
  },
);
const scripted = fc.oneof(
  { weight: 5, arbitrary: action },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("throw" as const) }) },
);
const step: fc.Arbitrary<SignalStep> = fc.oneof(
  { weight: 8, arbitrary: action },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("script" as const),
      at,
      actions: fc.array(scripted, { minLength: 1, maxLength: 3 }),
    }),
  },
);

/** Random scenarios. */
export const signalScenarios: fc.Arbitrary<SignalScenario> = fc.record({
  dispatchMax: fc.constantFrom(1024, 1024, 2),
  steps: fc.array(step, { minLength: 1, maxLength: 120, size: "max" }),
});
