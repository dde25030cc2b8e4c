/** What the benchmark prints. */
import type { Cores, Machine } from "./machine.ts";
import {
  type PeerResult,
  ratioOf,
  type Statistic,
  statistic,
  type WorkloadResult,
} from "./results.ts";
import type { Measure } from "./turn.ts";
import type { Target } from "./workloads.ts";

interface Column {
  title: string;
  means: string;
  cell(peer: PeerResult, result: WorkloadResult): string;
}

/** Above this share of the cores, other programs make the figures rough. */
const OTHERS_BUSY_MAX = 0.05;

const columns: Column[] = [
  {
    title: "messages/s",
    means: "echoes a second, median of the rounds",
    cell: ({ samples }) =>
      number(statistic(samples, "messagesPerSecond").median, 0),
  },
  {
    title: "±",
    means: "half the distance from the lowest round to the highest",
    cell: ({ samples }) =>
      percent(spread(statistic(samples, "messagesPerSecond"))),
  },
  ratioColumn("of C", "messagesPerSecond", "c"),
  ratioColumn("of Deno", "messagesPerSecond", "deno-listen"),
  figureColumn("p50 µs", "p50Us", 0, "latency that half of the messages beat"),
  figureColumn("p99 µs", "p99Us", 0, "latency that 99 % of the messages beat"),
  figureColumn(
    "user µs",
    "userUs",
    2,
    "the server's user-mode CPU for each message",
  ),
  ratioColumn("of Deno", "userUs", "deno-listen"),
  figureColumn(
    "system µs",
    "systemUs",
    2,
    "the kernel's CPU for each message, on the server's core",
  ),
  ratioColumn("CPU of C", "cpuUs", "c"),
  {
    title: "server",
    means: "how busy the server's core was with it",
    cell: ({ samples }) => percent(statistic(samples, "serverBusy").median),
  },
  {
    title: "client",
    means: "how busy the load generator was; near 100 % it is the limit, " +
      "and a cheaper server shows in CPU, not in messages/s",
    cell: ({ samples }) => percent(statistic(samples, "clientBusy").median),
  },
  {
    title: "MiB",
    means: "the server's resident memory at the end",
    cell: ({ samples }) =>
      number(statistic(samples, "residentKiB").median / 1024, 1),
  },
];

/** The head of the output: where this was measured, and how. */
export function formatHead(
  machine: Machine,
  cores: Cores,
  rounds: number,
  seconds: number,
): string {
  const pinning = cores.server === cores.client
    ? "There is one core: server and client share it, and slow each other."
    : `Server on core ${cores.server}, client on core ${cores.client}.`;
  return [
    `${machine.processor}, ${machine.coresOnline} cores, ` +
    `Linux ${machine.kernel} ${machine.architecture}, Deno ${machine.deno}`,
    `${pinning} Rounds: ${rounds}, ${seconds} s for each peer in each, ` +
    "in an order that changes.",
  ].join("\n");
}

/** The table of one workload, with its targets. */
export function formatResult(result: WorkloadResult): string {
  const rows = [
    ["", ...columns.map((column) => column.title)],
    ...result.peers.map((peer) => [
      peer.label,
      ...columns.map((column) => column.cell(peer, result)),
    ]),
  ];
  const targets = result.workload.targets
    .map((target) => formatTarget(target, result))
    .filter((line) => line !== null);
  const lines = ["", result.workload.title, "", ...align(rows)];
  const samples = result.peers.flatMap((peer) => peer.samples);
  const others = statistic(samples, "othersBusy");
  if (others.max > OTHERS_BUSY_MAX) {
    lines.push(
      "",
      "The machine was not quiet, so these figures are rough: other programs " +
        `used ${percent(others.median)} of the cores, ` +
        `${percent(others.max)} in the worst turn.`,
    );
  }
  if (targets.length > 0) lines.push("", ...targets);
  return lines.join("\n");
}

/** What each column is. */
export function formatLegend(): string {
  const lines = columns
    .filter((column) => column.means !== "")
    .map((column) => [column.title, column.means]);
  const width = Math.max(...lines.map(([title]) => title.length));
  return [
    ...lines.map(([title, means]) => `${title.padEnd(width)}  ${means}`),
    `${"of …".padEnd(width)}  ` +
    "the column before, against C's epoll loop or Deno's own API: the ratio in " +
    "each round, then the median",
  ].join("\n");
}

function formatTarget(target: Target, result: WorkloadResult): string | null {
  const value = ratioOf(target.peer, target.of, target.measure, result);
  if (value === null) return null;
  const { atLeast = -Infinity, atMost = Infinity } = target;
  const bound = target.atLeast === undefined
    ? `at most ${atMost}`
    : `at least ${atLeast}`;
  const verdict = value >= atLeast && value <= atMost ? "met" : "NOT MET";
  const what = target.measure === "userUs" ? "user CPU" : "messages/s";
  return `target: ${target.peer}, ${what}, ${bound} of ${target.of}: ` +
    `${number(value, 2)}, ${verdict}`;
}

function figureColumn(
  title: string,
  measure: Measure,
  digits: number,
  means: string,
): Column {
  return {
    title,
    means,
    cell: ({ samples }) => {
      const { median } = statistic(samples, measure);
      return number(median, median > 0 && median < 0.1 ? 3 : digits);
    },
  };
}

function ratioColumn(title: string, measure: Measure, of: string): Column {
  return {
    title,
    means: "",
    cell: (peer, result) => {
      const value = ratioOf(peer.name, of, measure, result);
      return value === null ? "" : number(value, 2);
    },
  };
}

/** Columns of one width: the first to the left, the figures to the right. */
function align(rows: string[][]): string[] {
  const widths =
    rows[0]?.map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0))
    ) ?? [];
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column];
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
}

function spread({ median, min, max }: Statistic): number {
  return (max - min) / 2 / median;
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
