/** One peer's turn between workers: a process of its own, started and ended. */
import { Child } from "../children.ts";
import type { Cores } from "../machine.ts";
import { busySeconds, usage } from "../measure.ts";
import { choosePeers, type PeerSamples, takeTurns } from "../rounds.ts";
import { benchFile } from "../tools.ts";
import type { Durations } from "../turn.ts";
import type { Count } from "./meter.ts";
import type { Turn } from "./program.ts";
import type { PostPeer, PostWorkload } from "./workloads.ts";

/** What a turn gives. */
export interface PostSample {
  messagesPerSecond: number;
  usEach: number;
  /** The median over short intervals of one turn. */
  medianUs: number;
  /** The share of the cores that anything else used. */
  othersBusy: number;
}

/** The name of a figure. */
export type PostMeasure = keyof PostSample;

/** Everything measured under one workload between workers. */
export interface PostResult {
  workload: PostWorkload;
  peers: PeerSamples<PostSample>[];
}

/** Measures the peers of a workload in turns. */
export async function measurePost(
  workload: PostWorkload,
  cores: Cores,
  options: Durations & { rounds: number; peers: string[] | undefined },
): Promise<PostResult> {
  const peers = choosePeers(workload.peers, options.peers);
  return {
    workload,
    peers: await takeTurns(
      peers,
      options.rounds,
      (peer) => takeTurn(peer, workload, cores, options),
    ),
  };
}

async function takeTurn(
  { module }: PostPeer,
  { hub, others, oneCore }: PostWorkload,
  cores: Cores,
  { warmupSeconds, seconds }: Durations,
): Promise<PostSample> {
  const turn: Turn = {
    module,
    hub,
    others,
    hubCore: cores.server,
    othersCore: oneCore ? cores.server : cores.client,
    warmupSeconds,
    seconds,
  };
  const all = Array.from(
    { length: navigator.hardwareConcurrency },
    (_, core) => core,
  );
  const busyBefore = busySeconds(all);
  const startMs = performance.now();
  await using child = new Child([
    Deno.execPath(),
    ...["run", "--quiet", "--no-lock", "--allow-all"],
    benchFile("post/program.ts"),
    JSON.stringify(turn),
  ]);
  const count: Count = JSON.parse(await child.line(seconds * 1000 + 20_000));
  const foreign = busySeconds(all) - busyBefore - usage(child.pid).cpuNs / 1e9;
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  return {
    messagesPerSecond: count.messages / count.seconds,
    usEach: count.seconds / count.messages * 1e6,
    medianUs: count.medianUs,
    othersBusy: Math.max(0, foreign / elapsedSeconds / all.length),
  };
}
