/** `deno task simulate`: random programs against the model of an engine. */
import { parseArgs } from "@std/cli/parse-args";
import fc from "fast-check";
import { PROGRAMS } from "./model/programs.ts";
import { simulate } from "./model/simulate.ts";

const USAGE = `deno task simulate [options]

  --seed S         the seed of the first round (by default a fresh one)
  --steps N        steps to do at least (10000)
  --world WORLD    simulated (default) or real
  --program NAME   ${PROGRAMS.map(({ name }) => name).join(", ")} (all)

A failure prints its seed and the shrunk program; the same seed replays it.`;

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  Deno.exit(2);
}

function integer(name: string, text = ""): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  return fail(`--${name} must be an integer from 0 on, and is ${text}`);
}

const args = parseArgs(Deno.args, {
  string: ["seed", "steps", "world", "program"],
  boolean: ["help"],
  default: {
    seed: String(Math.floor(Math.random() * 0x40000000)),
    steps: "10000",
    world: "simulated",
    program: "",
  },
});
if (args.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const { world } = args;
if (world !== "simulated" && world !== "real") {
  fail(`--world must be simulated or real, and is ${world}`);
}
const programs = PROGRAMS.filter(({ name }) =>
  args.program === "" || name === args.program
);
if (programs.length === 0) fail(`There is no program ${args.program}`);

const seed = integer("seed", args.seed);
const startMs = performance.now();
const outcome = simulate(programs, world, seed, integer("steps", args.steps));
const seconds = (performance.now() - startMs) / 1_000;
const { steps, handlers, faults, finding, lastSeed } = outcome;
const speed = Math.round(steps / seconds);
console.log(
  `${steps} steps on the ${world} kernel in ${seconds.toFixed(1)} s ` +
    `(${speed} a second), ${handlers} handlers run, ${faults} faults injected, ` +
    `seeds ${seed} to ${lastSeed}`,
);
if (finding !== null) {
  console.log(`FAILED: ${finding.message}`);
  console.log(`The shrunk program, with the seed of its world before it:`);
  console.log(fc.stringify(finding.scenario));
  console.log(
    `Again: deno task simulate --seed ${finding.seed} --steps 1 ` +
      `--world ${world} --program ${finding.program}`,
  );
  Deno.exit(1);
}
