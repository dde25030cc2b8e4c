/** The loads of servers, and what must be reached under them. */
import { column, rate, ratio } from "../figures.ts";
import type { Tools } from "../tools.ts";
import {
  anew,
  type Candidate,
  type Peer,
  type Target,
  type Workload,
} from "../workload.ts";
import { countCalls } from "./calls.ts";
import {
  bytesEach,
  kept,
  serverColumns,
  userUs,
  wrkApartRate,
  wrkRate,
  wrkUserUs,
} from "./figures.ts";
import { idleConnections, takeIdleTurn } from "./idle.ts";
import {
  httpServers,
  lonelyTcpServers,
  type ServerProgram,
  tcpServers,
  udpServers,
} from "./peers.ts";
import { cut, type Load, openServer } from "./turn.ts";
import { WRK_SECONDS } from "./wrk.ts";

const messages = rate("messages");
const datagrams = rate("datagrams");
const connections = rate("connections");
const requests = rate("requests");

/** Every load of a server. */
export const serverWorkloads: readonly Workload[] = [
  echo(64, 50, 1, [
    {
      peer: "edgewise-streams",
      figure: messages,
      of: "deno-listen",
      atLeast: 1,
    },
    ...["edgewise-fd", "edgewise"].flatMap((peer): Target[] => [
      { peer, figure: messages, of: "c", atLeast: 0.95 },
      { peer, figure: messages, of: "deno-listen", atLeast: 1.15 },
      { peer, figure: messages, of: "bun-listen", atLeast: 1 },
      { peer, figure: userUs, of: "deno-listen", atMost: 0.25 },
      { peer, figure: userUs, of: "bun-listen", atMost: 0.6 },
      {
        peer,
        figure: userUs,
        of: "bare-ffi",
        by: "difference",
        atMost: 0.12,
      },
    ]),
  ], 3),
  echo(64, 1, 1),
  echo(64, 500, 1, [
    { peer: "edgewise", figure: messages, of: "c", atLeast: 0.95 },
    { peer: "edgewise", figure: messages, of: "deno-listen", atLeast: 1.1 },
  ]),
  echo(16 * 1024, 50, 1),
  echo(64, 50, 32, [
    { peer: "edgewise", figure: messages, of: "c", atLeast: 0.9 },
  ]),
  {
    ...server(
      { generator: "churnLoad", connections: 50, sizeBytes: 64, depth: 1 },
      tcpServers,
    ),
    name: "churn",
    title: "Churn: connect, 64 bytes and their echo, close; 50 at a time",
    columns: serverColumns(connections, "deno-listen"),
    charted: [connections, userUs],
    targets: [
      { peer: "edgewise", figure: connections, of: "c", atLeast: 0.85 },
      {
        peer: "edgewise",
        figure: connections,
        of: "deno-listen",
        atLeast: 1.5,
      },
      {
        peer: "edgewise-streams",
        figure: connections,
        of: "deno-listen",
        atLeast: 1,
      },
    ],
  },
  http("http-hello", 1, [
    ...["deno-serve", "bun-serve"].flatMap((of): Target[] => [
      { peer: "edgewise", figure: requests, of, atLeast: 1 },
      { peer: "edgewise", figure: userUs, of, atMost: 0.5 },
    ]),
    { peer: "edgewise", figure: wrkRate, of: "deno-serve", atLeast: 1 },
    { peer: "edgewise", figure: wrkUserUs, of: "deno-serve", atMost: 0.5 },
  ]),
  http("http-pipelined-16", 16, [
    { peer: "edgewise", figure: requests, of: "deno-serve", atLeast: 2 },
  ]),
  {
    ...server(
      { generator: "udpLoad", connections: 16, sizeBytes: 64, depth: 8 },
      udpServers,
    ),
    name: "udp-64",
    title: "UDP echo: 64 bytes, sockets: 16, datagrams in flight on each: 8",
    columns: serverColumns(datagrams, "deno-listen"),
    charted: [datagrams, userUs],
    targets: [
      ...["edgewise", "edgewise-single"].map((peer): Target => (
        { peer, figure: datagrams, of: "c", atLeast: 0.85 }
      )),
      { peer: "edgewise", figure: datagrams, of: "c-segments", atLeast: 0.85 },
      { peer: "edgewise", figure: datagrams, of: "deno-listen", atLeast: 3.5 },
    ],
  },
  idle(idleConnections(10_000)),
];

function echo(
  sizeBytes: number,
  connections: number,
  depth: number,
  targets: Target[] = [],
  longer = 1,
): Workload {
  const pipelined = depth > 1 ? `-pipelined-${depth}` : "";
  const servers = connections === 1 ? lonelyTcpServers : tcpServers;
  return {
    ...server({ generator: "load", connections, sizeBytes, depth }, servers),
    name: `echo-${sizeBytes}-${connections}${pipelined}`,
    title: `Echo: ${sizeBytes} bytes, connections: ${connections}, ` +
      `messages in flight on each: ${depth}`,
    columns: serverColumns(messages, "deno-listen"),
    charted: [messages, userUs],
    targets,
    longer,
  };
}

function http(name: string, depth: number, targets: Target[]): Workload {
  return {
    ...server(
      { generator: "httpLoad", connections: 50, sizeBytes: 1, depth },
      httpServers,
    ),
    ...cut(depth > 1 ? 0 : WRK_SECONDS),
    name,
    title: `HTTP: a short text, connections: 50, requests in flight on each: ` +
      depth,
    columns: [
      ...serverColumns(requests, "deno-serve"),
      column(wrkRate),
      ratio(wrkRate, "deno-serve", "of Deno"),
      column(wrkUserUs),
      ratio(wrkUserUs, "deno-serve", "of Deno"),
      column(wrkApartRate),
      ratio(wrkApartRate, "deno-serve", "of Deno"),
    ],
    charted: [requests, userUs],
    targets,
  };
}

function idle(count: number): Workload {
  const load: Load = {
    generator: "load",
    connections: 50,
    sizeBytes: 64,
    depth: 1,
  };
  // Ten thousand connections take their time: these are left out.
  const without = new Set(["bare-ffi", "deno-net"]);
  const servers = (tools: Tools) =>
    tcpServers(tools).filter(({ name }) => !without.has(name));
  return {
    name: "idle-10000",
    title:
      `Idle connections: ${count.toLocaleString("en-US")}, beside 50 that ` +
      "echo 64 bytes",
    columns: [
      column(bytesEach),
      column(messages),
      column(kept),
      ratio(messages, "c", "of C"),
      column(userUs),
    ],
    charted: [bytesEach, kept],
    targets: [
      { peer: "edgewise", figure: bytesEach, atMost: 1024 },
      { peer: "edgewise", figure: kept, atLeast: 0.95 },
    ],
    sliceSeconds: Infinity,
    partSeconds: ({ warmupSeconds, seconds }) =>
      3.2 + 2 * (warmupSeconds + seconds),
    candidates: (tools) =>
      servers(tools).map((server) =>
        candidate(server, (command) => ({
          open: anew((context) => takeIdleTurn(command, count, load, context)),
        }))
      ),
  };
}

/** What loads of servers have in common. */
function server(
  load: Load,
  servers: (tools: Tools) => ServerProgram[],
): Pick<Workload, "sliceSeconds" | "partSeconds" | "candidates"> {
  return {
    ...cut(),
    candidates: (tools) =>
      servers(tools).map((server) =>
        candidate(server, (command) => ({
          open: (context) => openServer(command, load, context),
          count: (context) => countCalls(command, load, context),
        }))
      ),
  };
}

function candidate(
  { name, label, command }: ServerProgram,
  measures: (command: string[]) => Pick<Peer, "open" | "count">,
): Candidate {
  if (command === undefined) return { name, peer: null };
  return { name, peer: { name, label, ...measures(command) } };
}
