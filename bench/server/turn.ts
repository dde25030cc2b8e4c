/** One server's turn: start it, load it, measure it, end it. */
import { Child } from "../children.ts";
import { busySeconds, cpuBetween, residentKiB, usage } from "../measure.ts";
import type { Context, Sample } from "../workload.ts";
import { findProgram, type Tools } from "../tools.ts";

/** What a server is given to do. */
export interface Load {
  generator: "load" | "churnLoad" | "httpLoad" | "udpLoad" | "bulkLoad";
  connections: number;
  sizeBytes: number;
  /** Messages in flight on each connection. */
  depth: number;
}

/** The last line of a load generator. */
export interface LoadReport {
  messages: number;
  lost: number;
  seconds: number;
  cpuSeconds: number;
  latencyUs: { p50: number; p90: number; p99: number; p999: number };
}

/** A server that listens. */
export interface Server extends AsyncDisposable {
  child: Child;
  port: number;
}

/** Starts a server on its core, and waits until it listens. */
export async function startServer(
  command: string[],
  { tools, cores }: Context,
): Promise<Server> {
  const child = new Child([tools.onCore, String(cores.server), ...command]);
  try {
    const line = await child.line();
    const port = line.match(/^listening on .*:(\d+)$/)?.[1];
    if (port === undefined) throw new Error("it printed no port");
    return {
      child,
      port: Number(port),
      [Symbol.asyncDispose]: () => child.end(),
    };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** Starts a load generator on its core. */
export function startLoad(
  program: keyof Tools,
  port: number,
  { connections, sizeBytes, depth }: Omit<Load, "generator">,
  { tools, cores, warmupSeconds, seconds }: Context,
): Child {
  return new Child([
    tools.onCore,
    String(cores.client),
    tools[program],
    `--port=${port}`,
    `--connections=${connections}`,
    `--size=${sizeBytes}`,
    `--depth=${depth}`,
    `--warmup=${warmupSeconds}`,
    `--seconds=${seconds}`,
  ]);
}

/** Loads a server, and measures it. */
export async function measureServer(
  { child, port }: Server,
  load: Load,
  context: Context,
): Promise<Sample> {
  const { cores, seconds } = context;
  await using loading = startLoad(load.generator, port, load, context);
  await loading.line(); // "measuring"
  const pinned = [cores.server, cores.client];
  // A wrapper may have started it: the one that serves is what is measured.
  const pid = child.last();
  const busyBefore = busySeconds(pinned);
  const before = usage(pid);
  const report: LoadReport = JSON.parse(
    await loading.line(seconds * 1000 + 20_000),
  );
  const { userSeconds, systemSeconds } = cpuBetween(before, usage(pid));
  const cpuSeconds = userSeconds + systemSeconds;
  const busy = busySeconds(pinned) - busyBefore;
  const others = busy - cpuSeconds - report.cpuSeconds;
  const { messages, lost, latencyUs } = report;
  const eachUs = 1e6 / messages;

  return {
    perSecond: messages / report.seconds,
    p50Us: latencyUs.p50,
    p90Us: latencyUs.p90,
    p99Us: latencyUs.p99,
    p999Us: latencyUs.p999,
    userUs: userSeconds * eachUs,
    systemUs: systemSeconds * eachUs,
    cpuUs: cpuSeconds * eachUs,
    serverBusy: cpuSeconds / report.seconds,
    clientBusy: report.cpuSeconds / report.seconds,
    othersBusy: Math.max(0, others / report.seconds / new Set(pinned).size),
    residentMiB: residentKiB(pid) / 1024,
    ...load.generator === "udpLoad" ? { lost: lost / (messages + lost) } : {},
  };
}

/** A turn of a server of its own. */
export async function takeServerTurn(
  command: string[],
  load: Load,
  context: Context,
): Promise<Sample> {
  await using server = await startServer(command, context);
  return await measureServer(server, load, context);
}

/** The same, and the rate that wrk counts, where it is installed. */
export async function takeHttpTurn(
  command: string[],
  load: Load,
  context: Context,
): Promise<Sample> {
  await using server = await startServer(command, context);
  const sample = await measureServer(server, load, context);
  const wrk = findProgram("WRK", "wrk");
  if (wrk === undefined || load.depth > 1) return sample;
  const { tools, cores, seconds } = context;
  await using child = new Child([
    ...[
      tools.onCore,
      String(cores.client),
      wrk,
      "-t1",
      `-c${load.connections}`,
    ],
    ...[`-d${Math.ceil(seconds)}s`, `http://127.0.0.1:${server.port}/`],
  ]);
  for (;;) {
    const line = await child.line(seconds * 1000 + 20_000);
    const found = line.match(/^Requests\/sec:\s+([\d.]+)$/)?.[1];
    if (found !== undefined) return { ...sample, wrkPerSecond: Number(found) };
  }
}
