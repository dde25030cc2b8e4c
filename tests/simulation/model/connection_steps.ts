/** What programs do to connections and their peers, as data. */
import fc from "fast-check";
import type { ExhaustedPolicy, Trigger } from "../../../mod.ts";

/** Connections at a time. */
export const LINKS = 5;

/** What a user can do to a connection. */
export type UserStep =
  | { do: "write" | "end"; at: number; length: number }
  | { do: "writev"; at: number; lengths: number[] }
  | { do: "pause" | "resume" | "close" | "reset"; at: number }
  | { do: "timeout"; at: number; ms: number }
  | { do: "throw" };

/** A callback in which a script can stand. */
export type Callback = "open" | "data" | "drain" | "end" | "close";

/** One step. Those whose connection is not there do nothing. */
export type ConnectionStep =
  | Exclude<UserStep, { do: "throw" }>
  /** The peer connects to the engine's listener, or the engine to the peer's. */
  | { do: "accept" | "connect" | "refused"; at: number }
  /** The connection is detached, and taken over again. */
  | { do: "handOver"; at: number }
  | { do: "peerWrites" | "peerReads"; at: number; length: number }
  | { do: "peerEnds" | "peerCloses" | "peerResets"; at: number }
  | { do: "turn" | "settle" | "closeListener" }
  | { do: "elapse" | "run"; ms: number }
  | { do: "script"; at: number; callback: Callback; actions: UserStep[] };

/** Options, and the steps. */
export interface ConnectionScenario {
  readonly trigger: Trigger;
  readonly family: "tcp" | "unix";
  readonly bufferMax: number;
  readonly mergeWrites: boolean;
  readonly acceptBatch: number;
  readonly exclusive: boolean;
  readonly onExhausted: ExhaustedPolicy;
  readonly connectionsMax: number;
  /** Whether there are handlers for the peer's end, and for timeouts. */
  readonly hasEnd: boolean;
  readonly hasTimeout: boolean;
  /** Whether there is a handler for what handlers throw. */
  readonly onError: boolean;
  /** Whether the engine is closed in the end, whatever is under way. */
  readonly closesEngine: boolean;
  readonly steps: readonly ConnectionStep[];
}

const at = fc.nat(LINKS - 1);
// Small ones find the orders, large ones fill buffers and take several reads.
const length = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 100_000 }) },
  { weight: 2, arbitrary: fc.constant(100_000) },
);

function placed<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names), at });
}

function sized<Name extends string>(...names: Name[]) {
  return fc.record({ do: fc.constantFrom(...names), at, length });
}

const lengths = fc.array(length, { minLength: 1, maxLength: 4 });
const writes = fc.oneof(
  { weight: 4, arbitrary: sized("write") },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("writev" as const), at, lengths }),
  },
);
const userStep = fc.oneof(
  { weight: 12, arbitrary: writes },
  { weight: 1, arbitrary: sized("end") },
  { weight: 5, arbitrary: placed("pause", "resume", "resume") },
  { weight: 1, arbitrary: placed("close", "reset") },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("timeout" as const),
      at,
      ms: fc.constantFrom(0, 50, 1_000),
    }),
  },
);
const script = fc.record({
  do: fc.constant("script" as const),
  at,
  callback: fc.constantFrom<Callback>(
    "open",
    "data",
    "data",
    "data",
    "drain",
    "end",
    "close",
  ),
  actions: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: userStep },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant("throw" as const) }),
      },
    ),
    { minLength: 1, maxLength: 3 },
  ),
});
const step: fc.Arbitrary<ConnectionStep> = fc.oneof(
  { weight: 1, arbitrary: placed("handOver") },
  {
    weight: 6,
    arbitrary: placed("accept", "accept", "connect", "connect", "refused"),
  },
  { weight: 12, arbitrary: userStep },
  { weight: 12, arbitrary: sized("peerWrites", "peerReads") },
  {
    weight: 2,
    arbitrary: placed("peerEnds", "peerEnds", "peerCloses", "peerResets"),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constant("turn" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("settle" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("elapse" as const, "run" as const),
      ms: fc.constantFrom(1, 1, 2),
    }),
  },
  { weight: 6, arbitrary: script },
);

// Seldom, as few things happen after it.
const rare = fc.oneof({ weight: 200, arbitrary: step }, {
  weight: 1,
  arbitrary: fc.record({ do: fc.constant("closeListener" as const) }),
});

/** Random scenarios. */
export const connectionScenarios: fc.Arbitrary<ConnectionScenario> = fc.record({
  trigger: fc.constantFrom("edge" as const, "level" as const),
  family: fc.constantFrom("tcp" as const, "unix" as const),
  bufferMax: fc.constantFrom(262_144, 5_000, 0),
  mergeWrites: fc.boolean(),
  acceptBatch: fc.constantFrom(64, 2, 1),
  exclusive: fc.boolean(),
  onExhausted: fc.constantFrom<ExhaustedPolicy>("wait", "closeIdle", "shed"),
  connectionsMax: fc.constantFrom(Infinity, Infinity, 2),
  hasEnd: fc.boolean(),
  hasTimeout: fc.boolean(),
  onError: fc.boolean(),
  closesEngine: fc.constantFrom(false, false, false, true),
  steps: fc.array(rare, { minLength: 1, maxLength: 120, size: "max" }),
});
