/** Deno's own interfaces over an engine, beside Deno's own. */
import { Child } from "../children.ts";
import { column, type Figure, rate, ratio, spreadOf } from "../figures.ts";
import { busySeconds, usage } from "../measure.ts";
import type { Count } from "../meter.ts";
import { streamsServer } from "../server/peers.ts";
import { serverBusy, userUs } from "../server/figures.ts";
import { cut, type Load, openServer } from "../server/turn.ts";
import { benchFile, denoRun } from "../tools.ts";
import {
  anew,
  type Context,
  type Peer,
  type Sample,
  uncut,
  type Workload,
} from "../workload.ts";

const NETS = [
  { name: "edgewise", label: "Edgewise, /streams" },
  { name: "deno", label: "Deno, Deno.listen and Deno.connect" },
];

const chunks = rate("64 KiB");
const connections = rate("connections");

const clientUs: Figure = {
  name: "clientUs",
  title: "client µs",
  means: "the load generator's CPU for each, waking the server included; " +
    "far above what it is in other runs, the machine was slow",
  digits: 1,
};

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
  const title = `In bulk: ${how}`;
  const more = [userUs, clientUs, serverBusy];
  return workload(`streams-${what}`, title, chunks, more, {
    open: (net) => (context) =>
      openServer(streamsServer(net, what), load, context),
    ...cut(),
  });
}

/** Connections made and closed. */
function setUp(atOnce: number): Workload {
  const title = "Set-up: connect, accept and close in one process, at once: " +
    atOnce;
  return workload(`streams-set-up-${atOnce}`, title, connections, [], {
    open: (net) => anew((context) => takeSetUpTurn(net, atOnce, context)),
    ...uncut(0.7),
  });
}

function workload(
  name: string,
  title: string,
  figure: Figure,
  more: Figure[],
  { open, ...times }:
    & { open(net: string): Peer["open"] }
    & Pick<Workload, "sliceSeconds" | "partSeconds">,
): Workload {
  return {
    name,
    title,
    columns: [
      column(figure),
      spreadOf(figure),
      ratio(figure, "deno", "of Deno"),
      ...more.map(column),
    ],
    charted: [figure],
    targets: [
      { peer: "edgewise", figure, of: "deno", atLeast: 1 },
    ],
    ...times,
    candidates: () =>
      NETS.map(({ name, label }) => ({
        name,
        peer: { name, label, open: open(name) },
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
