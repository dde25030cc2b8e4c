/** A chart of each workload, as SVG. */
import { init } from "echarts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { formatMachine } from "./report.ts";
import { type Result, statistic } from "./results.ts";

const WIDTH = 900;
const HEAD = 104;
const FOOT = 34;
const ROW = 34;
const LABELS = 250;
const GAP = 90;
const VALUES = 70;

/** Colours on white, and what takes their place where the reader's page is dark. */
const colours = {
  paper: ["#ffffff", "#0d1117"],
  ink: ["#1f2328", "#e6edf3"],
  faint: ["#59636e", "#9198a1"],
  bar: ["#8c959f", "#656c76"],
  own: ["#0969da", "#4493f8"],
} as const;

const [paper, ink, faint, bar, own] = Object.values(colours)
  .map(([light]) => light);

/** Writes `WORKLOAD.svg` for each result. */
export async function writeCharts(
  directory: string,
  results: Result[],
  machine: Machine,
  rounds: number,
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const where = `${formatMachine(machine)}; medians, rounds: ${rounds}`;
  for (const result of results) {
    const path = `${directory}/${result.workload.name}.svg`;
    await Deno.writeTextFile(path, drawChart(result, where));
  }
}

/** Draws a panel of bars for each charted figure, side by side. */
function drawChart(result: Result, where: string): string {
  const { title, charted } = result.workload;
  const height = HEAD + ROW * result.peers.length + FOOT;
  const panel = (WIDTH - LABELS - GAP * (charted.length - 1) - VALUES) /
    charted.length;
  const chart = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: WIDTH,
    height,
  });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: paper,
      textStyle: { color: ink },
      title: [
        text(title, { left: 12, top: 8, color: ink, fontSize: 16 }),
        text(where, { left: 12, bottom: 6, color: faint, fontSize: 11 }),
        ...charted.flatMap(({ title, means }, at) => {
          const left = LABELS + at * (panel + GAP);
          // Readers have wider letters than are reckoned with.
          const width = (panel + VALUES) * 0.8;
          return [
            text(title, { left, top: 40, color: ink, fontSize: 13 }),
            text(means, { left, top: 60, color: faint, fontSize: 11, width }),
          ];
        }),
      ],
      grid: charted.map((_, at) => ({
        left: LABELS + at * (panel + GAP),
        width: panel,
        top: HEAD,
        height: ROW * result.peers.length,
      })),
      xAxis: charted.map((_, at) => ({
        type: "value",
        min: 0,
        gridIndex: at,
        show: false,
      })),
      yAxis: charted.map((_, at) => ({
        type: "category",
        gridIndex: at,
        inverse: true,
        data: result.peers.map(({ label }) => label),
        axisLabel: { show: at === 0, color: ink, fontSize: 12 },
        axisTick: { show: false },
        axisLine: { show: false },
      })),
      series: charted.map((figure, at) => bars(figure, at, result)),
    });
    return withDarkColours(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

function bars(figure: Figure, at: number, { peers }: Result) {
  const { digits } = figure;
  return {
    type: "bar" as const,
    xAxisIndex: at,
    yAxisIndex: at,
    barWidth: ROW / 2,
    data: peers.map((peer) => {
      const value = statistic(peer, figure).median;
      const color = peer.name.startsWith("edgewise") ? own : bar;
      return { value, itemStyle: { color } };
    }),
    label: {
      show: true,
      position: "right" as const,
      color: ink,
      textBorderWidth: 0,
      fontSize: 12,
      formatter: ({ value }: { value: unknown }) =>
        Number(value).toLocaleString("en-US", {
          minimumFractionDigits: digits,
          maximumFractionDigits: digits,
        }),
    },
  };
}

function text(
  words: string,
  { color, fontSize, width, ...place }: {
    color: string;
    fontSize: number;
    /** Where lines are broken. */
    width?: number;
    left: number;
    top?: number;
    bottom?: number;
  },
) {
  return {
    text: words,
    ...place,
    padding: 0,
    textStyle: {
      color,
      fontSize,
      fontWeight: "normal" as const,
      ...width === undefined ? {} : { width, overflow: "break" as const },
    },
  };
}

/** Adds a style that exchanges the colours where the reader prefers dark pages. */
function withDarkColours(svg: string): string {
  const rules = Object.values(colours).map(([light, dark]) =>
    `[fill="${light}"] { fill: ${dark} }`
  );
  const style = `<style>@media (prefers-color-scheme: dark) { ${
    rules.join(" ")
  } }</style>`;
  const head = svg.indexOf(">") + 1;
  return svg.slice(0, head) + style + svg.slice(head);
}
