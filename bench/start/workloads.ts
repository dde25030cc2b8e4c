/** How long a program takes to start and end, against an empty one. */
import { column, type Figure } from "../figures.ts";
import { allCores } from "../machine.ts";
import { busySeconds, familySeconds } from "../measure.ts";
import { median } from "../results.ts";
import { benchFile, denoRun } from "../tools.ts";
import {
  anew,
  type Context,
  type Peer,
  type Sample,
  uncut,
  type Workload,
} from "../workload.ts";

const startMs: Figure = {
  name: "startMs",
  title: "ms",
  means: "from starting the program to its end",
  digits: 1,
};

const aboveMs: Figure = {
  name: "aboveMs",
  title: "ms above empty",
  means: "the difference to an empty program that was run right before",
  digits: 1,
};

const EMPTY = "empty.ts";

/** Starting programs. */
export const startWorkload: Workload = {
  name: "start",
  title: "Start: a program from its start to its end",
  columns: [column(startMs), column(aboveMs)],
  charted: [startMs, aboveMs],
  targets: [{ peer: "edgewise", figure: aboveMs, atMost: 15 }],
  ...uncut(0),
  candidates: () =>
    [
      program("empty", "Deno, an empty program", EMPTY),
      program("edgewise", "Edgewise: import and first engine", "engine.ts"),
      program("edgewise-listen", "Edgewise: and a listener", "listen.ts"),
    ].map((peer) => ({ name: peer.name, peer })),
};

function program(name: string, label: string, file: string): Peer {
  return { name, label, open: anew((context) => takeTurn(file, context)) };
}

/** Runs the empty program and the other one in turns until the time is up. */
async function takeTurn(
  file: string,
  { warmupSeconds, seconds }: Context,
): Promise<Sample> {
  const all = allCores();
  let ms: number[] = [];
  let above: number[] = [];
  const beginMs = performance.now();
  const busyBefore = busySeconds(all);
  const ownBefore = familySeconds();
  for (let isWarm = false;;) {
    const emptyMs = await run(EMPTY);
    const programMs = await run(file);
    ms.push(programMs);
    above.push(programMs - emptyMs);
    const elapsedSeconds = (performance.now() - beginMs) / 1000;
    if (!isWarm && elapsedSeconds >= warmupSeconds) {
      isWarm = true;
      ms = [];
      above = [];
    } else if (elapsedSeconds >= warmupSeconds + seconds) {
      const busy = busySeconds(all) - busyBefore;
      const foreign = busy - (familySeconds() - ownBefore);
      return {
        startMs: median(ms),
        aboveMs: median(above),
        othersBusy: Math.max(0, foreign / elapsedSeconds / all.length),
      };
    }
  }
}

async function run(file: string): Promise<number> {
  const [program, ...args] = [...denoRun(), benchFile(`start/${file}`)];
  const beginMs = performance.now();
  const { success } = await new Deno.Command(program, {
    args,
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${file} failed`);
  return performance.now() - beginMs;
}
