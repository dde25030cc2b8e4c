/** One peer's turn: start it, load it, measure it, end it. */
import { Child } from "./children.ts";
import type { Cores } from "./machine.ts";
import { busySeconds, cpuBetween, residentKiB, usage } from "./measure.ts";
import type { Peer } from "./peers.ts";
import type { Tools } from "./tools.ts";
import type { Workload } from "./workloads.ts";

/** How long a turn takes. */
export interface Durations {
  warmupSeconds: number;
  seconds: number;
}

/** What a turn gives. CPU times are the server's, for each message. */
export interface Sample {
  messagesPerSecond: number;
  p50Us: number;
  p90Us: number;
  p99Us: number;
  p999Us: number;
  userUs: number;
  systemUs: number;
  cpuUs: number;
  /** The share of its core that the server used. */
  serverBusy: number;
  /** The share of its core that the load generator used. */
  clientBusy: number;
  /** The share of the cores that anything else used. */
  othersBusy: number;
  residentKiB: number;
}

/** The name of a figure. */
export type Measure = keyof Sample;

/** The last line of the load generator. */
interface LoadReport {
  messages: number;
  seconds: number;
  cpuSeconds: number;
  latencyUs: { p50: number; p90: number; p99: number; p999: number };
}

/** Measures one peer under one workload, on a server of its own. */
export async function takeTurn(
  peer: Peer,
  workload: Workload,
  tools: Tools,
  cores: Cores,
  durations: Durations,
): Promise<Sample> {
  const onCore = (core: number, command: string[]) =>
    new Child([tools.onCore, String(core), ...command]);

  await using server = onCore(cores.server, peer.command);
  const port = (await server.line()).match(/^listening on .*:(\d+)$/)?.[1];
  if (port === undefined) throw new Error("it printed no port");

  await using load = onCore(cores.client, [
    workload.transport === "udp" ? tools.udpLoad : tools.load,
    `--port=${port}`,
    `--connections=${workload.connections}`,
    `--size=${workload.sizeBytes}`,
    `--depth=${workload.depth}`,
    `--warmup=${durations.warmupSeconds}`,
    `--seconds=${durations.seconds}`,
  ]);
  await load.line(); // "measuring"
  const pinned = [cores.server, cores.client];
  const busyBefore = busySeconds(pinned);
  const before = usage(server.pid);
  const report: LoadReport = JSON.parse(
    await load.line(durations.seconds * 1000 + 20_000),
  );
  const { userSeconds, systemSeconds } = cpuBetween(before, usage(server.pid));
  const busy = busySeconds(pinned) - busyBefore;
  const others = busy - userSeconds - systemSeconds - report.cpuSeconds;
  const eachUs = 1e6 / report.messages;

  return {
    messagesPerSecond: report.messages / report.seconds,
    p50Us: report.latencyUs.p50,
    p90Us: report.latencyUs.p90,
    p99Us: report.latencyUs.p99,
    p999Us: report.latencyUs.p999,
    userUs: userSeconds * eachUs,
    systemUs: systemSeconds * eachUs,
    cpuUs: (userSeconds + systemSeconds) * eachUs,
    serverBusy: (userSeconds + systemSeconds) / report.seconds,
    clientBusy: report.cpuSeconds / report.seconds,
    othersBusy: Math.max(0, others / report.seconds / new Set(pinned).size),
    residentKiB: residentKiB(server.pid),
  };
}
