/** One peer's turn between workers: a process of its own, started and ended. */
import { Child } from "../children.ts";
import { allCores } from "../machine.ts";
import { busySeconds, usage } from "../measure.ts";
import type { Count } from "../meter.ts";
import { benchFile, denoRun } from "../tools.ts";
import type { Context, Sample } from "../workload.ts";
import type { Turn } from "./program.ts";

/** What the workers are to do, beside when and where. */
export interface PostLoad {
  hub: "ping" | "receive";
  /** The workers beside the one that counts. */
  others: number;
  /** Whether all workers share one core. */
  oneCore: boolean;
}

/** Measures workers of a module in `peers/`. */
export async function takePostTurn(
  module: string,
  { hub, others, oneCore }: PostLoad,
  { cores, warmupSeconds, seconds }: Context,
): Promise<Sample> {
  const turn: Turn = {
    module,
    hub,
    others,
    hubCore: cores.server,
    othersCore: oneCore ? cores.server : cores.client,
    warmupSeconds,
    seconds,
  };
  const all = allCores();
  const busyBefore = busySeconds(all);
  const startMs = performance.now();
  await using child = new Child([
    ...denoRun(),
    benchFile("post/program.ts"),
    JSON.stringify(turn),
  ]);
  const count: Count = JSON.parse(await child.line(seconds * 1000 + 20_000));
  const foreign = busySeconds(all) - busyBefore - usage(child.pid).cpuNs / 1e9;
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  return {
    perSecond: count.works / count.seconds,
    meanUs: count.seconds / count.works * 1e6,
    medianUs: count.medianUs,
    othersBusy: Math.max(0, foreign / elapsedSeconds / all.length),
  };
}
