/** What the benchmark prints. */
import { type Column, type Figure, othersBusy } from "./figures.ts";
import type { Cores, Machine } from "./machine.ts";
import {
  median,
  type PeerResult,
  ratioOf,
  type Result,
  statistic,
  type Verdict,
  verdicts,
} from "./results.ts";
import type { Durations } from "./workload.ts";

/** Above this share of the cores, other programs make the figures rough. */
const OTHERS_BUSY_MAX = 0.05;

/** The machine in a line. */
export function formatMachine(machine: Machine): string {
  return `${machine.processor}, ${machine.coresOnline} cores, ` +
    `Linux ${machine.kernel} ${machine.architecture}, Deno ${machine.deno}`;
}

/** The head of the output: where this was measured, how, and how long it takes. */
export function formatHead(
  machine: Machine,
  cores: Cores,
  rounds: number,
  { seconds }: Durations,
  totalSeconds: number,
): string {
  const pinning = cores.server === cores.client
    ? "There is one core: server and client share it, and slow each other."
    : `Server on core ${cores.server}, client on core ${cores.client}.`;
  return [
    formatMachine(machine),
    `${pinning} Rounds: ${rounds}, ${seconds} s for each peer in each, ` +
    "in an order that changes.",
    `This takes about ${formatTime(totalSeconds)}.`,
  ].join("\n");
}

/** A time, in the unit that fits. */
export function formatTime(seconds: number): string {
  return seconds < 100
    ? `${Math.ceil(seconds)} s`
    : `${Math.ceil(seconds / 60)} minutes`;
}

/** The table of one workload, with its targets. */
export function formatResult(result: Result): string {
  const columns = shownColumns(result);
  const rows = [
    ["", ...columns.map(({ title }) => title)],
    ...result.peers.map((peer) => [
      peer.label,
      ...columns.map((column) => cell(column, peer, result)),
    ]),
  ];
  const lines = ["", result.workload.title, "", ...align(rows)];
  const busy = result.peers.flatMap(({ samples }) =>
    samples.map((sample) => sample[othersBusy])
  );
  if (Math.max(...busy) > OTHERS_BUSY_MAX) {
    lines.push(
      "",
      "The machine was not quiet, so these figures are rough: other programs " +
        `used ${percent(median(busy))} of the cores, ` +
        `${percent(Math.max(...busy))} in the worst turn.`,
    );
  }
  const reached = verdicts(result).map(formatVerdict);
  if (reached.length > 0) lines.push("", ...align(reached));
  return lines.join("\n");
}

/** What each column is, once for all workloads. */
export function formatLegend(results: Result[]): string {
  const means = new Map<string, string>();
  for (const { title, figure, of, isSpread } of results.flatMap(shownColumns)) {
    if (of !== undefined || isSpread || figure.means === "") continue;
    means.set(title, figure.means);
  }
  means.set("±", "half the distance from the lowest round to the highest");
  means.set(
    "of …",
    "the nearest figure to the left, against another peer: the ratio in each " +
      "round, then the median",
  );
  const width = Math.max(...[...means.keys()].map(({ length }) => length));
  return [
    "Figures are medians of the rounds.",
    ...[...means].map(([title, text]) => `${title.padEnd(width)}  ${text}`),
  ].join("\n");
}

/** The columns in which there is something. */
function shownColumns(result: Result): Column[] {
  return result.workload.columns.filter((column) =>
    result.peers.some((peer) => cell(column, peer, result) !== "")
  );
}

function formatVerdict({ target, value, isMet }: Verdict): string[] {
  const { peer, figure, of, by, atLeast, atMost } = target;
  const bound = atLeast === undefined
    ? `at most ${atMost}`
    : `at least ${atLeast}`;
  const isDifference = by === "difference";
  const than = of === undefined
    ? ""
    : ` ${isDifference ? "above" : "of"} ${of}`;
  const isRatio = of !== undefined && !isDifference;
  return [
    `target: ${peer}, ${figure.title}, ${bound}${than}`,
    number(value, isRatio ? 2 : figure.digits),
    isMet ? "met" : "NOT MET",
  ];
}

function cell(column: Column, peer: PeerResult, result: Result): string {
  const { figure, of, isSpread } = column;
  if (of !== undefined) {
    return show(ratioOf(peer.name, of, figure, result) ?? NaN, 2);
  }
  const { median, min, max } = statistic(peer, figure);
  if (isSpread) return percent((max - min) / 2 / median);
  return format(median, figure);
}

/** A figure as it is shown; small ones keep their digits. */
function format(value: number, { digits, isShare }: Figure): string {
  if (isShare) return percent(value);
  const isSmall = digits > 0 && value > 0 && value < 0.1;
  return show(value, isSmall ? 3 : digits);
}

function show(value: number, digits: number): string {
  return Number.isNaN(value) ? "" : number(value, digits);
}

/** Columns of one width: the first to the left, the figures to the right. */
function align(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column];
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
}

function number(value: number, digits: number): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function percent(share: number): string {
  return Number.isNaN(share) ? "" : `${number(share * 100, 0)} %`;
}
