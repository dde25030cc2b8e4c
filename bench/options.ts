/** The benchmark's command line. */
import { parseArgs } from "@std/cli/parse-args";
import type { Durations, Workload } from "./workload.ts";
import { DEFAULT_WORKLOAD, workloads } from "./workloads.ts";

export const USAGE = `deno task bench [OPTION...]

  --only NAMES    workloads, by commas, or "all"; ${DEFAULT_WORKLOAD} by default:
${workloads.map(({ name }) => `                  ${name}`).join("\n")}
  --peers NAMES   only these peers, by commas
  --rounds N      in each all peers are started anew; 5 by default
  --seconds N     each peer is measured in each round; 3 by default
  --quick         one round of 0.2 s, and no system calls counted: shows that it
                  runs, not how fast
  --json FILE     writes every figure of every round
  --charts DIR    draws a chart of each workload, DIR/WORKLOAD.svg
  --help          this text`;

/** What to measure and how. */
export interface Options extends Durations {
  help: boolean;
  workloads: Workload[];
  /** Names of peers; undefined for all. */
  peers: string[] | undefined;
  rounds: number;
  /** Whether system calls are counted. */
  counts: boolean;
  json: string | undefined;
  /** The directory for charts. */
  charts: string | undefined;
}

const TEXTS = ["only", "peers", "rounds", "seconds", "json", "charts"] as const;
const FLAGS = ["quick", "help"] as const;

/** Reads the command line; throws an error with one clear line. */
export function parseOptions(args: string[]): Options {
  const { _: rest, ...named } = parseArgs(args, {
    string: TEXTS,
    boolean: FLAGS,
  });
  const known: readonly string[] = [...TEXTS, ...FLAGS];
  const unknown = Object.keys(named).find((name) => !known.includes(name)) ??
    rest[0];
  if (unknown !== undefined) {
    throw new Error(`Cannot understand "${unknown}"; --help shows the options`);
  }
  const { quick } = named;
  return {
    help: named.help,
    workloads: chooseWorkloads(named.only),
    peers: named.peers?.split(","),
    rounds: Math.ceil(positive("rounds", named.rounds, quick ? 1 : 5)),
    counts: !quick,
    // V8 is done with a server's code after the first second.
    warmupSeconds: quick ? 0.1 : 2,
    seconds: positive("seconds", named.seconds, quick ? 0.2 : 3),
    json: named.json,
    charts: named.charts,
  };
}

function chooseWorkloads(names: string = DEFAULT_WORKLOAD): Workload[] {
  if (names === "all") return [...workloads];
  return names.split(",").map((name) => {
    const workload = workloads.find((workload) => workload.name === name);
    if (workload === undefined) {
      throw new Error(`Cannot measure "${name}"; --help shows the workloads`);
    }
    return workload;
  });
}

function positive(
  name: string,
  text: string | undefined,
  otherwise: number,
): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0 && value < Infinity)) {
    throw new Error(`Cannot use --${name} "${text}": it must be above 0`);
  }
  return value;
}
