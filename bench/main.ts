/** `deno task bench`: servers, or workers, side by side, in turns within one run. */
import { endChildrenOnSignal } from "./children.ts";
import { chooseCores, type Cores, describeMachine } from "./machine.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { echoPeers, type Peer } from "./peers.ts";
import { formatHead, formatLegend, formatResult } from "./report.ts";
import { summarize } from "./results.ts";
import { choosePeers, progress, takeTurns } from "./rounds.ts";
import { formatPostResult, summarizePost } from "./post/report.ts";
import { measurePost } from "./post/turn.ts";
import { buildTools, type Tools } from "./tools.ts";
import { takeTurn } from "./turn.ts";
import type { AnyWorkload } from "./workloads.ts";

/** Measures what the options ask for and prints it. */
async function bench(options: Options, directory: string): Promise<void> {
  const tools = await buildTools(directory);
  const machine = describeMachine();
  const cores = chooseCores();
  const { rounds, warmupSeconds, seconds } = options;
  const chosen = options.workloads.map((workload) =>
    choose(workload, tools, options.peers)
  );
  const missing = [...new Set(chosen.flatMap(({ missing }) => missing))];

  console.log(formatHead(machine, cores, rounds, seconds));
  if (missing.length > 0) {
    console.log(`Not found here, so left out: ${missing.join(", ")}.`);
  }
  const results = [];
  for (const each of chosen) {
    results.push(await measure(each, tools, cores, options));
  }
  if (chosen.some(({ peers }) => peers.length > 0)) {
    console.log(`\n${formatLegend()}`);
  }

  if (options.json !== undefined) {
    const report = {
      machine,
      cores,
      rounds,
      warmupSeconds,
      seconds,
      missing,
      results,
    };
    await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2));
  }
}

/** Measures one workload, prints it, and returns its figures. */
async function measure(
  { workload, peers }: Chosen,
  tools: Tools,
  cores: Cores,
  options: Options,
) {
  if ("hub" in workload) {
    const result = await measurePost(workload, cores, options);
    console.log(formatPostResult(result));
    return { workload, peers: summarizePost(result) };
  }
  const result = {
    workload,
    peers: await takeTurns(
      peers,
      options.rounds,
      (peer) => takeTurn(peer, workload, tools, cores, options),
    ),
  };
  console.log(formatResult(result));
  return { workload, peers: summarize(result) };
}

/** A workload with the servers that it needs and those that are not here. */
interface Chosen {
  workload: AnyWorkload;
  peers: Peer[];
  missing: string[];
}

function choose(
  workload: AnyWorkload,
  tools: Tools,
  names: string[] | undefined,
): Chosen {
  if ("hub" in workload) return { workload, peers: [], missing: [] };
  const { peers, missing } = echoPeers(tools, workload.transport);
  return {
    workload,
    peers: choosePeers(peers, names, missing),
    missing: names === undefined ? missing : [],
  };
}

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
    progress("");
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
