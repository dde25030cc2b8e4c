/** What is measured, and what it must reach. */
import { type PostWorkload, postWorkloads } from "./post/workloads.ts";
import type { Measure } from "./turn.ts";

/** A bound on a ratio of two peers, taken round by round. */
export interface Target {
  peer: string;
  measure: Measure;
  /** The peer that it is compared with. */
  of: string;
  atLeast?: number;
  atMost?: number;
}

/** What carries the messages. */
export type Transport = "tcp" | "udp";

/** One load, given to each peer in turn. */
export interface Workload {
  name: string;
  transport: Transport;
  title: string;
  connections: number;
  sizeBytes: number;
  /** Messages in flight on each connection. */
  depth: number;
  targets: Target[];
}

/** A load of a server, or between workers. */
export type AnyWorkload = Workload | PostWorkload;

/** What is measured when nothing else is asked for. */
export const DEFAULT_WORKLOAD = "echo-64-50";

/** Every workload. */
export const workloads: readonly AnyWorkload[] = [
  echo(64, 50, 1, [
    ...["edgewise-fd", "edgewise"].flatMap((peer): Target[] => [
      { peer, measure: "messagesPerSecond", of: "c", atLeast: 0.9 },
      { peer, measure: "userUs", of: "deno-listen", atMost: 0.3 },
    ]),
  ]),
  echo(64, 1, 1),
  echo(64, 500, 1),
  echo(16 * 1024, 50, 1),
  echo(64, 50, 32),
  {
    name: "udp-64",
    transport: "udp",
    title: "UDP echo: 64 bytes, sockets: 16, datagrams in flight on each: 8",
    connections: 16,
    sizeBytes: 64,
    depth: 8,
    targets: [
      {
        peer: "edgewise",
        measure: "messagesPerSecond",
        of: "c",
        atLeast: 0.85,
      },
      {
        peer: "edgewise",
        measure: "messagesPerSecond",
        of: "deno-listen",
        atLeast: 3.5,
      },
    ],
  },
  ...postWorkloads,
];

function echo(
  sizeBytes: number,
  connections: number,
  depth: number,
  targets: Target[] = [],
): Workload {
  const pipelined = depth > 1 ? `-pipelined-${depth}` : "";
  return {
    name: `echo-${sizeBytes}-${connections}${pipelined}`,
    transport: "tcp",
    title: `Echo: ${sizeBytes} bytes, connections: ${connections}, ` +
      `messages in flight on each: ${depth}`,
    connections,
    sizeBytes,
    depth,
    targets,
  };
}
