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

/** Programs of each family; EDGEWISE_PROGRAMS asks for more. */
const PROGRAMS = Number(Deno.env.get("EDGEWISE_PROGRAMS") ?? 4_000);
const STEPS_MAX = 40;
/** Descriptors that are watched from the start. */
const WATCHED_MAX = 4;
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

/** What most programs ask for. */
const USUAL = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

const handle = fc.nat(15);
const bytes = fc.constantFrom(1, 7, 8, 9, 100, 500, 4_095, 4_096, 5_000);
/** Interests as programs have them, and any others. */
const mask = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom(EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, USUAL),
      fc.constantFrom(0, EPOLLET, EPOLLET, EPOLLONESHOT),
    ).map(union),
  },
  { weight: 3, arbitrary: fc.subarray(BITS).map(union) },
  {
    weight: 1,
    arbitrary: fc.subarray([...BITS, EPOLLEXCLUSIVE]).map(union),
  },
);
/** The first descriptor is a set, and the one that is used most. */
const set = fc.oneof(
  { weight: 7, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(7) },
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
      weight: 1,
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
    { weight: 8, arbitrary: fc.record({ do: transfer, at: handle, bytes }) },
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
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("control" as const),
        set,
        operation: fc.constantFrom("add", "add", "modify", "delete"),
        at: handle,
        mask,
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        set,
        eventsMax: fc.constantFrom(1, 2, 3, 64),
      }),
    },
  );
}

/** A program, which has a set that watches something from the start. */
function program(family: Family): fc.Arbitrary<Step[]> {
  return fc.tuple(
    kinds(family),
    kinds(family),
    fc.array(mask, { maxLength: WATCHED_MAX }),
    fc.array(step(family), { minLength: 5, maxLength: STEPS_MAX }),
  ).map(([one, other, masks, steps]) => [
    { do: "open", kind: "epoll" },
    { do: "open", kind: one },
    { do: "open", kind: other },
    ...masks.map((mask, index): Step => {
      return { do: "control", set: 0, operation: "add", at: index + 1, mask };
    }),
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
