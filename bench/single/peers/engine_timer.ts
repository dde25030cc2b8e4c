/** 100,000 timers of an engine, set and then cancelled. */
import { Engine, type Timer } from "../../../mod.ts";
import type { Work } from "../work.ts";

const TIMERS = 100_000;
const SPREAD_MS = 1000;

const engine = new Engine();
const timers = new Array<Timer>(TIMERS);
const handler = () => {};

export const work: Work = {
  operations: TIMERS,
  run() {
    for (let index = 0; index < TIMERS; index++) {
      timers[index] = engine.timer(60_000 + index % SPREAD_MS, handler);
    }
    for (let index = 0; index < TIMERS; index++) timers[index].cancel();
    return 0;
  },
};
