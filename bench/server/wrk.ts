/** What wrk(1) says of an HTTP server: a load generator that others wrote. */
import { Child } from "../children.ts";
import { cpuBetween, usage } from "../measure.ts";
import { findProgram } from "../tools.ts";
import type { Context, Sample } from "../workload.ts";
import type { Load, Server } from "./turn.ts";

/** The shortest that wrk measures. */
export const WRK_SECONDS = 1;

/** Nothing where wrk is not installed, or can't do what the load does. */
export async function measureByWrk(
  { child: { pid }, port }: Server,
  { connections, depth }: Load,
  { tools, cores }: Context,
): Promise<Sample> {
  const wrk = findProgram("WRK", "wrk");
  if (wrk === undefined || depth > 1) return {};
  const before = usage(pid);
  await using loading = new Child([
    ...[tools.onCore, String(cores.client), wrk, "-t1", `-c${connections}`],
    ...[`-d${WRK_SECONDS}s`, `http://127.0.0.1:${port}/`],
  ]);
  const requests = await numberIn(loading, /^\s*(\d+) requests in /);
  const perSecond = await numberIn(loading, /^Requests\/sec:\s+([\d.]+)$/);
  const { userSeconds } = cpuBetween(before, usage(pid));
  return { wrkPerSecond: perSecond, wrkUserUs: userSeconds * 1e6 / requests };
}

/** The number in the next line that is like this. */
async function numberIn(child: Child, pattern: RegExp): Promise<number> {
  for (;;) {
    const found = (await child.line()).match(pattern)?.[1];
    if (found !== undefined) return Number(found);
  }
}
