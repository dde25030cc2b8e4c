/** A server: start it, load it, measure it, end it. */
import { Child } from "../children.ts";
import { busySeconds, cpuBetween, residentKiB, usage } from "../measure.ts";
import type { Tools } from "../tools.ts";
import type { Context, Sample, Subject, Workload } from "../workload.ts";
import { measureByWrk } from "./wrk.ts";

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
    clientUs: report.cpuSeconds * eachUs,
    serverBusy: cpuSeconds / report.seconds,
    clientBusy: report.cpuSeconds / report.seconds,
    othersBusy: Math.max(0, others / report.seconds / new Set(pinned).size),
    residentMiB: residentKiB(pid) / 1024,
    ...load.generator === "udpLoad" ? { lost: lost / (messages + lost) } : {},
  };
}

/** How long a server is under load until it is another one's turn. */
const SLICE_SECONDS = 0.25;
/** A slice under load begins with so much of it, which is not measured. */
const SLICE_WARMUP_SECONDS = 0.1;

/** Starts a server and warms it up, to be measured under a load. */
export async function openServer(
  command: string[],
  load: Load,
  context: Context,
): Promise<Subject> {
  await using opening = new AsyncDisposableStack();
  const server = opening.use(await startServer(command, context));
  await measureServer(server, load, {
    ...context,
    warmupSeconds: 0,
    seconds: context.warmupSeconds,
  });
  const opened = opening.move();
  return {
    async measure(context) {
      const slice = { ...context, warmupSeconds: SLICE_WARMUP_SECONDS };
      return {
        ...await measureServer(server, load, slice),
        ...load.generator === "httpLoad"
          ? await measureByWrk(server, load, context)
          : {},
      };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** How loads are cut into slices; a server takes 1.2 s to be started and ended. */
export function cut(
  extraSliceSeconds = 0,
): Pick<Workload, "sliceSeconds" | "partSeconds"> {
  return {
    sliceSeconds: SLICE_SECONDS,
    partSeconds: ({ warmupSeconds, seconds }) =>
      1.2 + warmupSeconds + seconds +
      seconds / SLICE_SECONDS * (SLICE_WARMUP_SECONDS + extraSliceSeconds),
  };
}
