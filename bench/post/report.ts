/** What the benchmark prints of workers. */
import type { PeerSamples } from "../rounds.ts";
import type { PostMeasure, PostResult, PostSample } from "./turn.ts";
import type { PostTarget } from "./workloads.ts";

/** Above this share of the cores, other programs make the figures rough. */
const OTHERS_BUSY_MAX = 0.05;

/** The table of one workload between workers, with its targets. */
export function formatPostResult(result: PostResult): string {
  const { title, unit, baselines, targets } = result.workload;
  const bases = baselines.filter((base) =>
    result.peers.some(({ name }) => name === base)
  );
  const rows = [
    ["", unit, "±", "µs each", "p50 µs", ...bases.map((base) => `of ${base}`)],
    ...result.peers.map(({ name, label, samples }) => {
      const rates = values(samples, "messagesPerSecond");
      return [
        label,
        number(median(rates), 0),
        percent(spread(rates)),
        number(median(values(samples, "usEach")), 3),
        number(median(values(samples, "medianUs")), 3),
        ...bases.map((base) =>
          number(ratioOf(name, base, "messagesPerSecond", result) ?? NaN, 2)
        ),
      ];
    }),
  ];
  const lines = ["", title, "", ...align(rows)];
  const others = result.peers.flatMap(({ samples }) =>
    values(samples, "othersBusy")
  );
  if (Math.max(...others) > OTHERS_BUSY_MAX) {
    lines.push(
      "",
      "The machine was not quiet, so these figures are rough: other programs " +
        `used ${percent(median(others))} of the cores, ` +
        `${percent(Math.max(...others))} in the worst turn.`,
    );
  }
  const verdicts = targets
    .map((target) => formatTarget(target, result))
    .filter((line) => line !== null);
  if (verdicts.length > 0) lines.push("", ...verdicts);
  return lines.join("\n");
}

/** The samples of one peer, and its rate over that of each baseline. */
export interface PostSummary extends PeerSamples<PostSample> {
  ratios: Record<string, { messagesPerSecond: number | null }>;
}

/** The samples with their ratios to each baseline. */
export function summarizePost(result: PostResult): PostSummary[] {
  const { baselines } = result.workload;
  return result.peers.map((peer) => ({
    ...peer,
    ratios: Object.fromEntries(
      baselines.map((base) => {
        const ratio = ratioOf(peer.name, base, "messagesPerSecond", result);
        return [base, { messagesPerSecond: ratio }];
      }),
    ),
  }));
}

function formatTarget(target: PostTarget, result: PostResult): string | null {
  const { peer, measure, of, atLeast = -Infinity, atMost = Infinity } = target;
  const value = ratioOf(peer, of, measure, result);
  if (value === null) return null;
  const bound = target.atLeast === undefined
    ? `at most ${atMost}`
    : `at least ${atLeast}`;
  const verdict = value >= atLeast && value <= atMost ? "met" : "NOT MET";
  const what = measure === "medianUs" ? "median time" : "rate";
  return `target: ${peer}, ${what}, ${bound} of ${of}: ` +
    `${number(value, 2)}, ${verdict}`;
}

/** The median of the ratios of two peers in each round; null if one was not run. */
function ratioOf(
  name: string,
  base: string,
  measure: PostMeasure,
  { peers }: PostResult,
): number | null {
  const samples = peers.find((peer) => peer.name === name)?.samples;
  const bases = peers.find((peer) => peer.name === base)?.samples;
  if (samples === undefined || bases === undefined) return null;
  return median(
    samples.map((sample, round) => sample[measure] / bases[round][measure]),
  );
}

function values(samples: PostSample[], measure: PostMeasure): number[] {
  return samples.map((sample) => sample[measure]);
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the distance from the lowest to the highest, as a share. */
function spread(values: number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

/** Columns of one width: the first to the left, the figures to the right. */
function align(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
    ).join("  ")
  );
}

function number(value: number, digits: number): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function percent(share: number): string {
  return `${number(share * 100, 0)} %`;
}
