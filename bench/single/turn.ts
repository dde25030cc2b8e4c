/** One peer's turn by itself, in a process of its own. */
import { Child } from "../children.ts";
import { busySeconds, usage } from "../measure.ts";
import { benchFile } from "../tools.ts";
import type { Context, Sample } from "../workload.ts";
import type { SingleReport } from "./program.ts";

/** Measures the work of a module in `peers/`, run by a command. */
export async function takeSingleTurn(
  command: string[],
  module: string,
  { tools, cores, warmupSeconds, seconds }: Context,
): Promise<Sample> {
  const busyBefore = busySeconds([cores.server]);
  const startMs = performance.now();
  await using child = new Child([
    ...[tools.onCore, String(cores.server), ...command],
    ...[benchFile("single/program.ts"), module],
    ...[String(warmupSeconds), String(seconds)],
  ]);
  const report: SingleReport = JSON.parse(
    await child.line(seconds * 1000 + 20_000),
  );
  const foreign = busySeconds([cores.server]) - busyBefore -
    usage(child.last()).cpuNs / 1e9;
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const operations = report.works * report.operations;
  return {
    perSecond: operations / report.seconds,
    meanNs: report.seconds / operations * 1e9,
    medianNs: report.medianUs / report.operations * 1e3,
    toldCalls: report.calls,
    othersBusy: Math.max(0, foreign / elapsedSeconds),
  };
}
