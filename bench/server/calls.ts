/** How many system calls a server makes, counted by strace(1). */
import type { Child } from "../children.ts";
import { findProgram } from "../tools.ts";
import type { Context, Sample } from "../workload.ts";
import {
  type Load,
  type LoadReport,
  type Server,
  startLoad,
  startServer,
} from "./turn.ts";

/**
 * How long the server is loaded, for less and for more: V8 goes on compiling
 * meanwhile, which is to be little beside the messages.
 */
const SECONDS = [0.3, 1.3];

/**
 * Counts for each message. The server is loaded for a short and for a longer
 * time: the difference has neither its start nor that of the connections in it.
 * Nothing where strace is not installed.
 */
export async function countCalls(
  command: string[],
  load: Load,
  context: Context,
): Promise<Sample> {
  const strace = findProgram("STRACE", "strace");
  if (strace === undefined) return {};
  const log = await Deno.makeTempFile({ prefix: "edgewise-strace-" });
  try {
    const traced = [strace, "-f", "-qq", "-e", "signal=none", "-o", log];
    await using server = await startServer([...traced, ...command], context);
    const done: { calls: number; messages: number }[] = [];
    for (const seconds of SECONDS) {
      const before = await countLines(log);
      const messages = await messagesIn(server, load, {
        ...context,
        warmupSeconds: 0,
        seconds,
      });
      done.push({ calls: await countLines(log) - before, messages });
    }
    const [less, more] = done;
    const messages = more.messages - less.messages;
    // On a machine that is too busy the longer load may have done no more.
    if (messages <= 0) return {};
    return { callsEach: (more.calls - less.calls) / messages };
  } finally {
    await Deno.remove(log);
  }
}

async function messagesIn(
  { port }: Server,
  load: Load,
  context: Context,
): Promise<number> {
  await using loading: Child = startLoad(load.generator, port, load, context);
  await loading.line(); // "measuring"
  const report: LoadReport = JSON.parse(await loading.line());
  return report.messages;
}

/** The calls so far: one that another thread interrupted is two lines. */
async function countLines(log: string): Promise<number> {
  const text = await Deno.readTextFile(log);
  return text.split("\n").filter((line) =>
    line !== "" && !line.includes(" resumed>")
  ).length;
}
