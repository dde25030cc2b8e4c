/** The samples of all rounds, and what they are reduced to. */
import type { Figure } from "./figures.ts";
import type { Sample, Target, Workload } from "./workload.ts";

/** The samples of one peer. */
export interface PeerResult {
  name: string;
  label: string;
  /** One for each round. */
  samples: Sample[];
  /** What was looked at once and apart. */
  counted: Sample;
}

/** Everything measured under one workload. */
export interface Result {
  workload: Workload;
  peers: PeerResult[];
}

/** The middle and the ends of a figure over the rounds. */
export interface Statistic {
  median: number;
  min: number;
  max: number;
}

/** Whether a target is met. */
export interface Verdict {
  target: Target;
  value: number;
  isMet: boolean;
}

/** One figure over the rounds; NaN where it was not measured. */
export function statistic(peer: PeerResult, { name }: Figure): Statistic {
  const values = valuesOf(peer, name);
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
  base: string,
  figure: Figure,
  result: Result,
): number | null {
  return compare(name, base, figure, result, (value, base) => value / base);
}

/** The same for the differences. */
export function differenceOf(
  name: string,
  base: string,
  figure: Figure,
  result: Result,
): number | null {
  return compare(name, base, figure, result, (value, base) => value - base);
}

/** The targets of which the peers were run. */
export function verdicts(result: Result): Verdict[] {
  return result.workload.targets.flatMap((target) => {
    const value = reached(target, result);
    // In a short turn the clock of CPU time may not tick: nothing to compare with.
    if (value === null || !Number.isFinite(value)) return [];
    const { atLeast = -Infinity, atMost = Infinity } = target;
    return [{ target, value, isMet: value >= atLeast && value <= atMost }];
  });
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A peer's samples and what they reduce to. */
export interface PeerSummary extends PeerResult {
  /** By figure. */
  statistics: Record<string, Statistic>;
  ratios: { figure: string; of: string; value: number | null }[];
}

/** What is written to a file. */
export interface Summary {
  workload: { name: string; title: string };
  peers: PeerSummary[];
  targets: (Omit<Target, "figure"> & {
    figure: string;
    value: number;
    isMet: boolean;
  })[];
}

/** Samples, statistics, ratios and verdicts, without the functions. */
export function summarize(result: Result): Summary {
  const { name, title, columns } = result.workload;
  const ratios = columns.flatMap(({ figure, of }) =>
    of === undefined ? [] : [{ figure, of }]
  );
  return {
    workload: { name, title },
    peers: result.peers.map((peer) => ({
      ...peer,
      statistics: Object.fromEntries(
        columns.map(({ figure }) => [figure.name, statistic(peer, figure)]),
      ),
      ratios: ratios.map(({ figure, of }) => ({
        figure: figure.name,
        of,
        value: ratioOf(peer.name, of, figure, result),
      })),
    })),
    targets: verdicts(result).map(({ target, value, isMet }) => ({
      ...target,
      figure: target.figure.name,
      value,
      isMet,
    })),
  };
}

function reached(target: Target, result: Result): number | null {
  const { peer, figure, of, by } = target;
  if (of !== undefined) {
    const compared = by === "difference" ? differenceOf : ratioOf;
    return compared(peer, of, figure, result);
  }
  const alone = result.peers.find(({ name }) => name === peer);
  return alone === undefined ? null : statistic(alone, figure).median;
}

function compare(
  name: string,
  base: string,
  { name: figure }: Figure,
  { peers }: Result,
  reduce: (value: number, base: number) => number,
): number | null {
  const peer = peers.find((peer) => peer.name === name);
  const other = peers.find((peer) => peer.name === base);
  if (peer === undefined || other === undefined) return null;
  const bases = valuesOf(other, figure);
  return median(
    valuesOf(peer, figure).map((value, round) => reduce(value, bases[round])),
  );
}

function valuesOf({ samples, counted }: PeerResult, name: string): number[] {
  if (name in counted) return [counted[name]];
  return samples.map((sample) => sample[name] ?? NaN);
}
