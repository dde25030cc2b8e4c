/** `deno task bench`: what a user would pick, side by side, in turns within one run. */
import { endChildrenOnSignal } from "./children.ts";
import { chooseCores, describeMachine } from "./machine.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { clearProgress, Progress } from "./progress.ts";
import { formatHead, formatLegend, formatResult } from "./report.ts";
import { type Result, summarize } from "./results.ts";
import { choosePeers, takeTurns } from "./rounds.ts";
import { buildTools, type Tools } from "./tools.ts";
import {
  type Context,
  countSlices,
  type Durations,
  type Peer,
  type Workload,
} from "./workload.ts";
import { DEFAULT_WORKLOAD } from "./workloads.ts";

/** A workload with those that are compared under it. */
interface Chosen {
  workload: Workload;
  peers: Peer[];
  missing: string[];
}

/** Measures what the options ask for and prints it. */
async function bench(options: Options, directory: string): Promise<void> {
  const { rounds, warmupSeconds, seconds } = options;
  const tools = await buildTools(directory);
  const machine = describeMachine();
  const cores = chooseCores();
  const context: Context = { tools, cores, warmupSeconds, seconds };
  const chosen = choose(options, tools);
  const missing = [...new Set(chosen.flatMap(({ missing }) => missing))];

  console.log(
    formatHead(
      machine,
      cores,
      rounds,
      context,
      expectedSeconds(chosen, options),
    ),
  );
  if (missing.length > 0) {
    console.log(`Not found here, so left out: ${missing.join(", ")}.`);
  }
  const results: Result[] = [];
  const progress = new Progress(countTurns(chosen, rounds));
  for (const { workload, peers } of chosen) {
    const measured = { ...context, ...durationsFor(workload, context) };
    const result = {
      workload,
      peers: await takeTurns(
        peers,
        rounds,
        countSlices(workload, measured),
        measured,
        (what) => progress.turn(`${workload.name}, ${what}`),
      ),
    };
    clearProgress();
    console.log(formatResult(result));
    results.push(result);
  }
  console.log(`\n${formatLegend(results)}`);
  if (chosen.length === 1 && chosen[0].workload.name === DEFAULT_WORKLOAD) {
    console.log("\nThis was one workload; --only all measures every one.");
  }

  if (options.json !== undefined) {
    const report = {
      machine,
      cores,
      rounds,
      warmupSeconds,
      seconds,
      missing,
      results: results.map(summarize),
    };
    await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2));
  }
  if (options.charts !== undefined) {
    const { writeCharts } = await import("./charts.ts");
    await writeCharts(options.charts, results, machine, rounds);
  }
}

/** The workloads for which there is a peer. */
function choose(options: Options, tools: Tools): Chosen[] {
  const { workloads, peers: names, counts } = options;
  const all = workloads.map((workload) => ({
    workload,
    candidates: workload.candidates(tools),
  }));
  const known = new Set(
    all.flatMap(({ candidates }) => candidates.map(({ name }) => name)),
  );
  const unknown = names?.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new Error(
      `Cannot run the peer "${unknown}": the peers are ${
        [...known].join(", ")
      }`,
    );
  }
  return all.map(({ workload, candidates }) => ({
    workload,
    ...choosePeers(candidates, names, counts),
  })).filter(({ peers, missing }) => peers.length + missing.length > 0);
}

function countTurns(chosen: Chosen[], rounds: number): number {
  return chosen.reduce((sum, { peers }) => {
    const counted = peers.filter(({ count }) => count !== undefined).length;
    return sum + peers.length * rounds + counted;
  }, 0);
}

/** How long it takes, counting included, if nothing is slow. */
function expectedSeconds(
  chosen: Chosen[],
  { rounds, ...durations }: Options,
): number {
  return chosen.reduce((sum, { workload, peers }) => {
    const part = workload.partSeconds(durationsFor(workload, durations));
    const counted = peers.filter(({ count }) => count !== undefined).length;
    return sum + peers.length * rounds * part + counted * COUNT_SECONDS;
  }, 0);
}

/** How long a turn of a workload takes. */
function durationsFor(
  { longer = 1 }: Workload,
  { warmupSeconds, seconds }: Durations,
): Durations {
  return { warmupSeconds, seconds: seconds * longer };
}

/** What counting system calls takes. */
const COUNT_SECONDS = 3.7;

async function main(): Promise<number> {
  let directory: string | undefined;
  try {
    const options = parseOptions(Deno.args);
    if (options.help) {
      console.log(USAGE);
      return 0;
    }
    const built = directory = await Deno.makeTempDir({ prefix: "edgewise-" });
    endChildrenOnSignal(() => Deno.removeSync(built, { recursive: true }));
    await bench(options, built);
    return 0;
  } catch (error) {
    clearProgress();
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    console.error(message + reason);
    return 1;
  } finally {
    if (directory !== undefined) {
      await Deno.remove(directory, { recursive: true });
    }
  }
}

Deno.exit(await main());
