/** The samples of all rounds, and what they are reduced to. */
import type { Measure, Sample } from "./turn.ts";
import type { Workload } from "./workloads.ts";

/** The samples of one peer, one for each round. */
export interface PeerResult {
  name: string;
  label: string;
  samples: Sample[];
}

/** Everything measured under one workload. */
export interface WorkloadResult {
  workload: Workload;
  peers: PeerResult[];
}

/** The middle and the ends of a figure over the rounds. */
export interface Statistic {
  median: number;
  min: number;
  max: number;
}

/** A result of one peer with what its samples reduce to. */
export interface PeerSummary extends PeerResult {
  statistics: Record<string, Statistic>;
  /** By the peer compared with, then by figure. */
  ratios: Record<string, Record<string, number | null>>;
}

/** The peers that the others are compared with. */
const BASELINES = ["c", "deno-listen", "bun-listen"];

/** The figures that are compared. */
const COMPARED: Measure[] = ["messagesPerSecond", "cpuUs", "userUs"];

/** One figure over the rounds. */
export function statistic(samples: Sample[], measure: Measure): Statistic {
  const values = samples.map((sample) => sample[measure]);
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/**
 * The median of the ratios of two peers, each taken within one round, so that
 * what slows the machine in a round slows both. Null if a peer was not run.
 */
export function ratioOf(
  name: string,
  baseline: string,
  measure: Measure,
  { peers }: WorkloadResult,
): number | null {
  const samples = peers.find((peer) => peer.name === name)?.samples;
  const bases = peers.find((peer) => peer.name === baseline)?.samples;
  if (samples === undefined || bases === undefined) return null;
  return median(samples.map((sample, round) => {
    return sample[measure] / bases[round][measure];
  }));
}

/** The statistics and ratios of each peer beside its samples. */
export function summarize(result: WorkloadResult): PeerSummary[] {
  return result.peers.map((peer) => {
    const measures = Object.keys(peer.samples[0]) as Measure[];
    const statistics = Object.fromEntries(
      measures.map((measure) => [measure, statistic(peer.samples, measure)]),
    );
    const ratios = Object.fromEntries(BASELINES.map((baseline) => [
      baseline,
      Object.fromEntries(COMPARED.map((measure) => [
        measure,
        ratioOf(peer.name, baseline, measure, result),
      ])),
    ]));
    return { ...peer, statistics, ratios };
  });
}

/** The middle value, or the mean of the two in the middle. */
function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}
