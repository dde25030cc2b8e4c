/** `deno task bench`: echo servers side by side, in turns within one run. */
import { endChildrenOnSignal } from "./children.ts";
import { chooseCores, type Cores, describeMachine } from "./machine.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { echoPeers, type Peer } from "./peers.ts";
import { formatHead, formatLegend, formatResult } from "./report.ts";
import { summarize, type WorkloadResult } from "./results.ts";
import { buildTools, type Tools } from "./tools.ts";
import { takeTurn } from "./turn.ts";
import type { Transport, Workload } from "./workloads.ts";

/** Measures what the options ask for and prints it. */
async function bench(options: Options, directory: string): Promise<void> {
  const tools = await buildTools(directory);
  const machine = describeMachine();
  const cores = chooseCores();
  const { rounds, warmupSeconds, seconds } = options;
  const chosen = options.workloads.map((workload) => ({
    workload,
    ...choosePeers(tools, workload.transport, options.peers),
  }));
  const missing = [...new Set(chosen.flatMap(({ missing }) => missing))];

  console.log(formatHead(machine, cores, rounds, seconds));
  if (missing.length > 0) {
    console.log(`Not found here, so left out: ${missing.join(", ")}.`);
  }
  const results: WorkloadResult[] = [];
  for (const { workload, peers } of chosen) {
    const result = await measure(workload, peers, tools, cores, options);
    results.push(result);
    console.log(formatResult(result));
  }
  console.log(`\n${formatLegend()}`);

  if (options.json !== undefined) {
    const report = {
      machine,
      cores,
      rounds,
      warmupSeconds,
      seconds,
      missing,
      results: results.map((result) => ({
        workload: result.workload,
        peers: summarize(result),
      })),
    };
    await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2));
  }
}

/** Every peer takes its turn in every round. */
async function measure(
  workload: Workload,
  peers: Peer[],
  tools: Tools,
  cores: Cores,
  options: Options,
): Promise<WorkloadResult> {
  const results = peers.map(({ name, label }) => ({
    name,
    label,
    samples: new Array(options.rounds),
  }));
  for (let round = 0; round < options.rounds; round++) {
    for (const turn of order(peers.length, round)) {
      const peer = peers[turn];
      progress(`round ${round + 1} of ${options.rounds}: ${peer.name}`);
      try {
        results[turn].samples[round] = await takeTurn(
          peer,
          workload,
          tools,
          cores,
          options,
        );
      } catch (cause) {
        throw new Error(`Cannot measure ${peer.name}`, { cause });
      }
    }
  }
  progress("");
  return { workload, peers: results };
}

/** A different peer begins each round, and every other round runs backwards. */
function order(count: number, round: number): number[] {
  const turns = Array.from({ length: count }, (_, i) => (i + round) % count);
  return round % 2 === 0 ? turns : turns.reverse();
}

function choosePeers(
  tools: Tools,
  transport: Transport,
  names: string[] | undefined,
) {
  const { peers, missing } = echoPeers(tools, transport);
  if (names === undefined) return { peers, missing };
  const chosen = names.map((name) => {
    const peer = peers.find((peer) => peer.name === name);
    if (peer !== undefined) return peer;
    throw new Error(
      missing.includes(name)
        ? `Cannot run the peer "${name}": its program is not found`
        : `Cannot run the peer "${name}": the peers are ` +
          peers.map(({ name }) => name).join(", "),
    );
  });
  return { peers: chosen, missing: [] };
}

/** One line that is written over, where a person is watching. */
function progress(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
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
