/** The worlds that scenarios run in: which faults, how many descriptors. */
import type { FaultRates } from "../faults.ts";
import { realWorld, simulatedWorld, type World } from "../world.ts";
import { type Counts, Trial } from "./trial.ts";

/** Where scenarios run. */
export type WorldKind = "simulated" | "real";

/** A world, and a trial in it. */
export interface Stage {
  readonly world: World;
  readonly trial: Trial;
  /** Counts the faults, and closes the world. */
  close(): void;
}

/** What a program can always be told to do again. */
const HICCUPS: FaultRates = {
  EINTR: 0.05,
  EAGAIN: 0.05,
  shortRead: 0.1,
  shortWrite: 0.1,
};
/** Anything. */
const FAULTS: FaultRates = {
  ...HICCUPS,
  EMFILE: 0.02,
  ENFILE: 0.01,
  ENOMEM: 0.01,
  ENOSPC: 0.01,
  ENOBUFS: 0.01,
  ECONNABORTED: 0.02,
  ECONNRESET: 0.005,
};
/** So few that a handful of connections takes them all. */
const FEW_DESCRIPTORS = 16;

interface Setting {
  readonly rates: FaultRates;
  readonly descriptorsMax: number;
}

/** What the seed of a world chooses from; half of them have no faults. */
const SETTINGS: readonly Setting[] = [
  { rates: {}, descriptorsMax: 1_024 },
  { rates: {}, descriptorsMax: 1_024 },
  { rates: {}, descriptorsMax: 1_024 },
  { rates: {}, descriptorsMax: FEW_DESCRIPTORS },
  { rates: HICCUPS, descriptorsMax: 1_024 },
  { rates: HICCUPS, descriptorsMax: 1_024 },
  { rates: FAULTS, descriptorsMax: 1_024 },
  { rates: FAULTS, descriptorsMax: FEW_DESCRIPTORS },
];

/** Sets up the world of a seed. */
export function setStage(kind: WorldKind, seed: number, counts: Counts): Stage {
  if (kind === "real") {
    const world = realWorld();
    const trial = new Trial(counts, world.calls, false, () => {});
    return { world, trial, close: () => world.close() };
  }
  const setting = SETTINGS[seed % SETTINGS.length] as Setting;
  const { rates, descriptorsMax } = setting;
  const world = simulatedWorld({ seed, descriptorsMax });
  const { faults, faultless } = world.kernel;
  const trial = new Trial(counts, faultless, rates === FAULTS, () => {
    faults.rates = rates;
  });
  return {
    world,
    trial,
    close() {
      for (const count of Object.values(faults.struck)) counts.faults += count;
      world.close();
    },
  };
}
