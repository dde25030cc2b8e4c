/** The servers that are compared, and how each is started. */
import { benchFile, findProgram, type Tools } from "./tools.ts";
import type { Transport } from "./workloads.ts";

/** A server, on a machine that has what it needs. */
export interface Peer {
  name: string;
  /** What it is, for a reader who does not know the name. */
  label: string;
  /** The command that starts it; it prints `listening on 127.0.0.1:PORT`. */
  command: string[];
}

/** A server that may lack the program it runs on. */
type Candidate = Omit<Peer, "command"> & { command: string[] | undefined };

/** The servers of a transport that can run here, and the names of those that can't. */
export function echoPeers(
  tools: Tools,
  transport: Transport,
): { peers: Peer[]; missing: string[] } {
  const candidates = transport === "udp" ? udpPeers(tools) : tcpPeers(tools);
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const { name, label, command } of candidates) {
    if (command === undefined) missing.push(name);
    else peers.push({ name, label, command });
  }
  return { peers, missing };
}

function udpPeers(tools: Tools): Candidate[] {
  return [
    {
      name: "c",
      label: "C, recvmmsg loop: the limit",
      command: [tools.udpEcho],
    },
    {
      name: "edgewise",
      label: "Edgewise, engine.datagram",
      command: deno("edgewise_udp.ts"),
    },
    {
      name: "deno-listen",
      label: "Deno, Deno.listenDatagram",
      command: deno("deno_datagram.ts", "--unstable-net"),
    },
  ];
}

function tcpPeers(tools: Tools): Candidate[] {
  return [
    { name: "c", label: "C, epoll loop: the limit", command: [tools.echo] },
    {
      name: "bare-ffi",
      label: "Deno, bare FFI loop: the floor",
      command: deno("bare_ffi.ts"),
    },
    {
      name: "edgewise-fd",
      label: "Edgewise, register and read/write",
      command: deno("edgewise_fd.ts"),
    },
    {
      name: "edgewise",
      label: "Edgewise, engine.listen",
      command: deno("edgewise.ts"),
    },
    {
      name: "deno-listen",
      label: "Deno, Deno.listen",
      command: deno("deno_listen.ts"),
    },
    {
      name: "bun-listen",
      label: "Bun, Bun.listen",
      command: on(findProgram("BUN", "bun"), "bun_listen.ts"),
    },
    {
      name: "node-net",
      label: "Node, node:net",
      command: on(findProgram("NODE", "node"), "node_net.mjs"),
    },
    {
      name: "deno-net",
      label: "Deno, node:net",
      command: deno("node_net.mjs"),
    },
  ];
}

function deno(file: string, ...more: string[]): string[] {
  const flags = ["run", "--quiet", "--no-lock", "--allow-all", ...more];
  return [Deno.execPath(), ...flags, peerFile(file)];
}

function on(program: string | undefined, file: string) {
  return program === undefined ? undefined : [program, peerFile(file)];
}

function peerFile(file: string): string {
  return benchFile(`peers/${file}`);
}
