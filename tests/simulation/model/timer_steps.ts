/** What programs do with timers, as data. */
import fc from "fast-check";

/** Timers at a time. */
export const TIMERS = 6;

/** What a user, or a timer's handler, can do to timers. */
export type TimerAction =
  | { do: "set"; at: number; delayMs: number; repeat: boolean; slackMs: number }
  | { do: "reset"; at: number; delayMs: number }
  | { do: "cancel"; at: number }
  | { do: "throw" };

/** One step. */
export type TimerStep =
  | Exclude<TimerAction, { do: "throw" }>
  | { do: "elapse"; ms: number }
  | { do: "turn"; timeoutMs: number }
  /** What the next call of a timer's handler does. */
  | { do: "script"; at: number; actions: TimerAction[] };

/** Options, and the steps. */
export interface TimerScenario {
  readonly dispatchMax: number;
  readonly steps: readonly TimerStep[];
}

const at = fc.nat(TIMERS - 1);
// Few values, so that deadlines meet.
const delayMs = fc.constantFrom(0, 0, 0.25, 1, 1, 2, 3, 5, 10, 1_000, Infinity);
const set = fc.record({
  do: fc.constant("set" as const),
  at,
  delayMs,
  repeat: fc.constantFrom(false, false, true),
  slackMs: fc.constantFrom(0, 0, 0, 2, 50),
});
const action = fc.oneof(
  { weight: 4, arbitrary: set },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("reset" as const), at, delayMs }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("cancel" as const), at }),
  },
);
const step: fc.Arbitrary<TimerStep> = fc.oneof(
  { weight: 8, arbitrary: action },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("elapse" as const),
      ms: fc.constantFrom(0.25, 1, 1, 2, 7),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("turn" as const),
      timeoutMs: fc.constantFrom(0, 0, 0.5, 1, 3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("script" as const),
      at,
      actions: fc.array(
        fc.oneof({ weight: 5, arbitrary: action }, {
          weight: 1,
          arbitrary: fc.record({ do: fc.constant("throw" as const) }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
);

/** Random scenarios. */
export const timerScenarios: fc.Arbitrary<TimerScenario> = fc.record({
  dispatchMax: fc.constantFrom(1024, 1024, 2),
  steps: fc.array(step, { minLength: 1, maxLength: 120, size: "max" }),
});
