/** A small share of `deno task simulate`, with fixed seeds. */
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { test } from "../support/descriptors.ts";
import { program } from "./model/explore.ts";
import { MUTATIONS } from "./mutation_list.ts";
import { PROGRAMS } from "./model/programs.ts";
import { simulate } from "./model/simulate.ts";

const SEED = 20_260;
const STEPS = { simulated: 20_000, real: 1_000 };

for (const program of PROGRAMS) {
  for (const kind of ["simulated", "real"] as const) {
    test(`random ${program.name} do what the model says (${kind} kernel)`, () => {
      const { finding, steps } = simulate([program], kind, SEED, STEPS[kind]);
      assertEquals(finding, null);
      assertGreaterOrEqual(steps, STEPS[kind]);
    });
  }
}

Deno.test("a program that fails is shrunk, and its seed finds it again", () => {
  const scenarios = fc.record({ steps: fc.array(fc.nat(9)) });
  const failing = program("failing", scenarios, ({ steps }, _, trial) => {
    for (const step of steps) {
      trial.step();
      if (step >= 5) throw new Error("it is 5 or more");
    }
  });
  const first = simulate([failing], "simulated", 1, 1_000).finding;
  const [, scenario] = first?.scenario as [number, unknown];
  assertEquals(scenario, { steps: [5] });
  const again = simulate([failing], "simulated", first?.seed ?? 0, 1).finding;
  assertEquals(again?.scenario, first?.scenario);
});

Deno.test("a program that leaves a descriptor open fails", () => {
  const scenarios = fc.record({ steps: fc.array(fc.nat(9)) });
  const leaking = program("leaking", scenarios, (_, world) => {
    world.calls.epoll_create1(0);
  });
  const { finding } = simulate([leaking], "simulated", 1, 1);
  assertEquals(finding?.message.includes("1 descriptors are left open"), true);
});

Deno.test("each mutation finds the text that it changes, once", () => {
  const counts = MUTATIONS.map(({ name, file, from }) => [
    name,
    readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")
      .split(from).length - 1,
  ]);
  assertEquals(counts, MUTATIONS.map(({ name }) => [name, 1]));
});
