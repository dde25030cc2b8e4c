/** What many idle connections cost a server, in memory and in speed. */
import { residentKiB } from "../measure.ts";
import type { Context, Sample } from "../workload.ts";
import { type Load, measureServer, startLoad, startServer } from "./turn.ts";

/** Descriptors that are left for everything else. */
const RESERVED = 200;

/** As many idle connections as are asked for, or as the system allows. */
export function idleConnections(wanted: number): number {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  const hard = limits.match(/^Max open files\s+\S+\s+(\S+)/m)?.[1];
  const allowed = hard === "unlimited" ? Infinity : Number(hard);
  return Math.min(wanted, allowed - RESERVED);
}

/** The same load without and with idle connections, on one server. */
export async function takeIdleTurn(
  command: string[],
  idle: number,
  load: Load,
  context: Context,
): Promise<Sample> {
  await using server = await startServer(command, context);
  const alone = await measureServer(server, load, context);
  const pid = server.child.last();
  const beforeKiB = residentKiB(pid);
  const held = { connections: idle, sizeBytes: load.sizeBytes, depth: 1 };
  await using holding = startLoad("idle", server.port, held, context);
  await holding.line(60_000); // "idle"
  const idleKiB = residentKiB(pid) - beforeKiB;
  const beside = await measureServer(server, load, context);
  return {
    ...beside,
    bytesEach: idleKiB * 1024 / idle,
    kept: beside.perSecond / alone.perSecond,
    othersBusy: Math.max(alone.othersBusy, beside.othersBusy),
  };
}
