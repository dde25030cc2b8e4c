/** What programs do with an inbox and its outboxes, as data. */
import fc from "fast-check";

/** Outboxes at a time; one more than there are lanes. */
export const OUTBOXES = 4;
export const SENDERS_MAX = OUTBOXES - 1;

/** What a sender can do, from a handler too. */
export type SenderStep =
  | { do: "post"; at: number; length: number }
  | { do: "fill" | "notify" | "open" | "close"; at: number };

/** One step. */
export type PostStep =
  | SenderStep
  | { do: "turn" | "poll" | "dispatch" | "settle" | "closeInbox" }
  /** A turn that waits, and what others do just when it begins to. */
  | { do: "wait"; meanwhile: SenderStep[] }
  /** What the handler of a message does. */
  | { do: "script"; actions: (SenderStep | { do: "throw" })[] };

/** Options, and the steps. */
export interface PostScenario {
  readonly laneBytes: number;
  readonly messageMax: number;
  readonly wakeupsMax: number;
  readonly dispatchMax: number;
  readonly steps: readonly PostStep[];
}

const at = fc.nat(OUTBOXES - 1);

function placed<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names), at });
}

function plain<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names) });
}

const length = fc.integer({ min: 2, max: 60 });
const senderStep: fc.Arbitrary<SenderStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("post" as const), at, length }),
  },
  { weight: 1, arbitrary: placed("fill") },
  { weight: 2, arbitrary: placed("notify") },
  { weight: 3, arbitrary: placed("open") },
  { weight: 1, arbitrary: placed("close") },
);
const script = fc.record({
  do: fc.constant("script" as const),
  actions: fc.array(
    fc.oneof({ weight: 4, arbitrary: senderStep }, {
      weight: 1,
      arbitrary: plain("throw"),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});
const wait = fc.record({
  do: fc.constant("wait" as const),
  meanwhile: fc.array(senderStep, { minLength: 1, maxLength: 3 }),
});
const step: fc.Arbitrary<PostStep> = fc.oneof(
  { weight: 12, arbitrary: senderStep },
  { weight: 4, arbitrary: plain("turn", "turn", "poll", "dispatch") },
  { weight: 1, arbitrary: plain("settle") },
  { weight: 3, arbitrary: wait },
  { weight: 2, arbitrary: script },
);
// Seldom, as nothing much happens after it.
const rare = fc.oneof({ weight: 60, arbitrary: step }, {
  weight: 1,
  arbitrary: plain("closeInbox"),
});

/** Random scenarios. */
export const postScenarios: fc.Arbitrary<PostScenario> = fc.record({
  laneBytes: fc.constantFrom(64, 100, 1_000),
  messageMax: fc.constantFrom(16, 60),
  wakeupsMax: fc.constantFrom(0xffffffff, 2),
  dispatchMax: fc.constantFrom(1024, 1),
  steps: fc.array(rare, { minLength: 1, maxLength: 120, size: "max" }),
});
