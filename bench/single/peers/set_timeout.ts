/** 100,000 timers of the runtime, set and then cancelled. */
import type { Work } from "../work.ts";

const TIMERS = 100_000;
const SPREAD_MS = 1000;

const timers = new Array<ReturnType<typeof setTimeout>>(TIMERS);
const handler = () => {};

export const work: Work = {
  operations: TIMERS,
  run() {
    for (let index = 0; index < TIMERS; index++) {
      timers[index] = setTimeout(handler, 60_000 + index % SPREAD_MS);
    }
    for (let index = 0; index < TIMERS; index++) clearTimeout(timers[index]);
    return 0;
  },
};
