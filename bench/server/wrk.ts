/** What wrk(1) says of an HTTP server: a load generator that others wrote. */
import { Child } from "../children.ts";
import { cpuBetween, usage } from "../measure.ts";
import { findProgram } from "../tools.ts";
import type { Context, Sample } from "../workload.ts";
import type { Load, Server } from "./turn.ts";

/** What is measured takes so long: a second each is the shortest that wrk can. */
export const WRK_SECONDS = 2;

/**
 * With a thread for each core, which shares the cores with the server, so that
 * whatever the server saves is there for requests; and pinned apart from it.
 * Nothing where wrk is not installed, or can't do what the load does.
 */
export async function measureByWrk(
  server: Server,
  load: Load,
  { tools, cores }: Context,
): Promise<Sample> {
  const wrk = findProgram("WRK", "wrk");
  if (wrk === undefined || load.depth > 1) return {};
  const run = (on: number[]) =>
    runWrk([
      ...[tools.onCore, on.join(), wrk, "-d1s", `-t${on.length}`],
      ...[`-c${load.connections}`, `http://127.0.0.1:${server.port}/`],
    ]);
  const pid = server.child.last();
  const before = usage(pid);
  const shared = await run([...new Set([cores.server, cores.client])]);
  const { userSeconds } = cpuBetween(before, usage(pid));
  const apart = await run([cores.client]);
  return {
    wrkPerSecond: shared.perSecond,
    wrkUserUs: userSeconds * 1e6 / shared.requests,
    wrkApartPerSecond: apart.perSecond,
  };
}

async function runWrk(
  command: string[],
): Promise<{ requests: number; perSecond: number }> {
  await using wrk = new Child(command);
  const requests = await numberIn(wrk, /^\s*(\d+) requests in /);
  return {
    requests,
    perSecond: await numberIn(wrk, /^Requests\/sec:\s+([\d.]+)$/),
  };
}

/** The number in the next line that is like this. */
async function numberIn(child: Child, pattern: RegExp): Promise<number> {
  for (;;) {
    const found = (await child.line()).match(pattern)?.[1];
    if (found !== undefined) return Number(found);
  }
}
