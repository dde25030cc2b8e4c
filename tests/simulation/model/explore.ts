/** Random scenarios of one program, until one fails; that one is shrunk. */
import fc from "fast-check";
import { setStage, type WorldKind } from "./stages.ts";
import type { Counts, Trial } from "./trial.ts";
import type { World } from "../world.ts";

/** What a failing scenario comes down to. */
export interface Finding {
  readonly program: string;
  readonly seed: number;
  readonly message: string;
  /** The shrunk scenario, and the seed of its world. */
  readonly scenario: unknown;
}

/** A kind of scenario and how to run it. */
export interface Program {
  readonly name: string;
  /** Runs so many scenarios of one seed, and counts what they do. */
  explore(
    kind: WorldKind,
    seed: number,
    runs: number,
    counts: Counts,
  ): Finding | null;
}

/** Makes a program of scenarios and a function that throws when one fails. */
export function program<Scenario>(
  name: string,
  scenarios: fc.Arbitrary<Scenario>,
  run: (scenario: Scenario, world: World, trial: Trial) => void,
): Program {
  // A world of its own for each, that shrinking does not change.
  const worlds = fc.noShrink(fc.nat());
  return {
    name,
    explore(kind, seed, runs, counts) {
      let failed = false;
      const property = fc.property(worlds, scenarios, (worldSeed, scenario) => {
        // What is tried while shrinking is no progress.
        const counted = failed ? { ...counts } : counts;
        const stage = setStage(kind, worldSeed, counted);
        try {
          const before = stage.world.descriptors();
          run(scenario, stage.world, stage.trial);
          const left = stage.world.descriptors() - before;
          if (left !== 0) throw new Error(`${left} descriptors are left open`);
        } catch (error) {
          failed = true;
          throw error;
        } finally {
          stage.close();
        }
      });
      const result = fc.check(property, { seed, numRuns: runs });
      if (!result.failed) return null;
      const { errorInstance: error, counterexample } = result;
      const message = error instanceof Error
        ? error.stack ?? error.message
        : String(error);
      return { program: name, seed, message, scenario: counterexample };
    },
  };
}
