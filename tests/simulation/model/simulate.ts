/** Rounds of scenarios, one of each program, until there are enough steps. */
import type { Finding, Program } from "./explore.ts";
import type { WorldKind } from "./stages.ts";
import type { Counts } from "./trial.ts";

/** Scenarios of each program in a round. */
const RUNS = 20;

/** What has been done, and what has been found. */
export interface Outcome extends Counts {
  finding: Finding | null;
  /** The seed of the last round. */
  lastSeed: number;
}

/** Runs rounds with the seeds from `seed` on until `steps` are done, or one fails. */
export function simulate(
  programs: readonly Program[],
  kind: WorldKind,
  seed: number,
  steps: number,
): Outcome {
  const outcome: Outcome = {
    steps: 0,
    handlers: 0,
    faults: 0,
    finding: null,
    lastSeed: seed,
  };
  for (let round = 0; outcome.steps < steps; round++) {
    outcome.lastSeed = seed + round;
    for (const program of programs) {
      outcome.finding = program.explore(kind, seed + round, RUNS, outcome);
      if (outcome.finding !== null) return outcome;
    }
  }
  return outcome;
}
