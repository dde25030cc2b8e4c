/**
 * The simulated kernel beside the machine's: the same programs of system calls,
 * chosen at random, must come to the same in both.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "../../ffi/mod.ts";
import { test } from "../support/descriptors.ts";
import type { Family } from "./ends.ts";
import { type Kind, outcomes, type Step } from "./program.ts";
import { realWorld, simulatedWorld } from "./world.ts";

/** Programs of each family. */
const PROGRAMS = Number(Deno.env.get("EDGEWISE_PROGRAMS") ?? 2_000);
const STEPS_MAX = 40;
/** A kernel that is busy may deliver late: it is asked again, with more time. */
const SETTLE_MS = { unix: [0, 0], tcp: [0, 1, 5, 20, 60] };

const BITS = [
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  EPOLLPRI,
  EPOLLET,
  EPOLLONESHOT,
];

const handle = fc.nat(15);
const bytes = fc.constantFrom(1, 7, 8, 9, 100, 500, 4_095, 4_096, 5_000);
const mask = fc.oneof(
  { weight: 9, arbitrary: fc.subarray(BITS).map(union) },
  {
    weight: 1,
    arbitrary: fc.subarray([...BITS, EPOLLEXCLUSIVE]).map(union),
  },
);

function union(bits: number[]): number {
  return bits.reduce((all, bit) => all | bit, 0);
}

function kinds(family: Family): fc.Arbitrary<Kind> {
  const sockets: Kind[] = ["pair", "pair", "socket", "listener"];
  return family === "tcp"
    ? fc.constantFrom<Kind>("epoll", ...sockets)
    : fc.constantFrom<Kind>(
      "epoll",
      "eventfd",
      "semaphore",
      "pipe",
      ...sockets,
    );
}

/** One step. TCP has no fixed room to fill. */
function step(family: Family): fc.Arbitrary<Step> {
  const transfers = ["read", "write", "drain"] as const;
  const transfer = family === "tcp"
    ? fc.constantFrom(...transfers)
    : fc.constantFrom(...transfers, "fill" as const);
  return fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("open" as const),
        kind: kinds(family),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom("connect", "accept", "close", "dup", "error"),
        at: handle,
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: transfer, at: handle, bytes }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("shutdown" as const),
        at: handle,
        how: fc.constantFrom("read", "write", "both"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("reset" as const), at: handle }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("control" as const),
        set: fc.nat(3),
        operation: fc.constantFrom("add", "add", "modify", "delete"),
        at: handle,
        mask,
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        set: fc.nat(3),
        eventsMax: fc.constantFrom(1, 2, 3, 64),
      }),
    },
  );
}

/** A program, which has a set and something to watch from the start. */
function program(family: Family): fc.Arbitrary<Step[]> {
  const first: Step = { do: "open", kind: "epoll" };
  return fc.tuple(
    kinds(family),
    kinds(family),
    fc.array(step(family), { minLength: 5, maxLength: STEPS_MAX }),
  ).map(([one, other, steps]) => [
    first,
    { do: "open", kind: one },
    { do: "open", kind: other },
    ...steps,
  ]);
}

/** Fails where the two kernels differ however much time the real one is given. */
function compare(family: Family, steps: readonly Step[]): void {
  using simulated = simulatedWorld({ seed: 1 });
  const expected = outcomes(simulated, family, steps, 0);
  let found = expected;
  for (const settleMs of SETTLE_MS[family]) {
    using real = realWorld();
    found = outcomes(real, family, steps, settleMs);
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
  }
  const differ = steps.findIndex((_, index) =>
    JSON.stringify(found[index]) !== JSON.stringify(expected[index])
  );
  assertEquals(
    { step: steps[differ], outcome: expected[differ] },
    { step: steps[differ], outcome: found[differ] },
    `They differ at step ${differ} of ${JSON.stringify(steps)}`,
  );
}

for (const family of ["unix", "tcp"] as const) {
  test(`${PROGRAMS} programs come to the same on both kernels (${family})`, () => {
    fc.assert(
      fc.property(program(family), (steps) => compare(family, steps)),
      { numRuns: PROGRAMS },
    );
  });
}
