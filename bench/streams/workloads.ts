/** Deno's own interfaces over an engine, beside Deno's own. */
import { Child } from "../children.ts";
import { column, type Figure, rate, ratio, spreadOf } from "../figures.ts";
import { busySeconds, usage } from "../measure.ts";
import type { Count } from "../meter.ts";
import { serverBusy, userUs } from "../server/figures.ts";
import { type Load, takeServerTurn } from "../server/turn.ts";
import { benchFile, denoRun } from "../tools.ts";
import type { Context, Peer, Sample, Workload } from "../workload.ts";

const NETS = [
  {
    name: "edgewise-streams",
    label: "Edgewise, listen of /streams",
    net: "edgewise",
  },
  { name: "deno-listen", label: "Deno, Deno.listen", net: "deno" },
];

const chunks = rate("64 KiB");
const connections = rate("connections");

const BULK: Load = {
  generator: "bulkLoad",
  connections: 1,
  sizeBytes: 64 * 1024,
  depth: 1,
};

/** Every workload of streams. */
export const streamWorkloads: readonly Workload[] = [
  bulk("read", "read()"),
  bulk("readable", "readable, iterated over"),
  bulk("write", "write()"),
  bulk("writable", "writable, by its writer"),
  bulk("pipe", "an echo by readable.pipeTo(writable)", {
    ...BULK,
    generator: "load",
    depth: 8,
  }),
  setUp(1),
  setUp(16),
];

/** One connection, with as many bytes as go through it. */
function bulk(what: string, how: string, load: Load = BULK): Workload {
  return workload(`streams-${what}`, `In bulk: ${how}`, chunks, [
    userUs,
    serverBusy,
  ], (net) => {
    const command = [...denoRun(), benchFile("streams/server.ts"), net, what];
    return (context) => takeServerTurn(command, load, context);
  });
}

/** Connections made and closed. */
function setUp(atOnce: number): Workload {
  const title = "Set-up: connect, accept and close in one process, at once: " +
    atOnce;
  const name = `streams-set-up-${atOnce}`;
  return workload(
    name,
    title,
    connections,
    [],
    (net) => (context) => takeSetUpTurn(net, atOnce, context),
  );
}

function workload(
  name: string,
  title: string,
  figure: Figure,
  more: Figure[],
  turn: (net: string) => Peer["takeTurn"],
): Workload {
  return {
    name,
    title,
    columns: [
      column(figure),
      spreadOf(figure),
      ratio(figure, "deno-listen", "of Deno"),
      ...more.map(column),
    ],
    charted: [figure],
    targets: [
      { peer: "edgewise-streams", figure, of: "deno-listen", atLeast: 1 },
    ],
    extraSeconds: 0.7,
    measurings: 1,
    candidates: () =>
      NETS.map(({ name, label, net }) => ({
        name,
        peer: { name, label, takeTurn: turn(net) },
      })),
  };
}

async function takeSetUpTurn(
  net: string,
  atOnce: number,
  { tools, cores, warmupSeconds, seconds }: Context,
): Promise<Sample> {
  const busyBefore = busySeconds([cores.server]);
  const startMs = performance.now();
  await using child = new Child([
    ...[tools.onCore, String(cores.server), ...denoRun()],
    ...[benchFile("streams/set_up.ts"), net, String(atOnce)],
    ...[String(warmupSeconds), String(seconds)],
  ]);
  const count: Count = JSON.parse(await child.line(seconds * 1000 + 20_000));
  const foreign = busySeconds([cores.server]) - busyBefore -
    usage(child.last()).cpuNs / 1e9;
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  return {
    perSecond: count.works / count.seconds,
    othersBusy: Math.max(0, foreign / elapsedSeconds),
  };
}
