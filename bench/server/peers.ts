/** The servers that are compared, and how each is started. */
import {
  benchFile,
  denoRun,
  findProgram,
  isFile,
  type Tools,
} from "../tools.ts";

/** A server, by the command that starts it; it prints `listening on 127.0.0.1:PORT`. */
export interface ServerProgram {
  name: string;
  label: string;
  /** Undefined where the program that it runs on is not installed. */
  command: string[] | undefined;
}

/** Echo servers for streams. */
export function tcpServers(tools: Tools): ServerProgram[] {
  return [
    { name: "c", label: "C, epoll loop: the limit", command: [tools.echo] },
    {
      name: "bare-ffi",
      label: "Deno, bare FFI loop: the floor",
      command: deno("bare_ffi.ts"),
    },
    {
      name: "edgewise-fd",
      label: "Edgewise, register; recv, send",
      command: deno("edgewise_fd.ts"),
    },
    {
      name: "edgewise",
      label: "Edgewise, engine.listen",
      command: deno("edgewise.ts"),
    },
    {
      name: "edgewise-streams",
      label: "Edgewise, listen of /streams",
      command: streamsServer("edgewise", "echo"),
    },
    {
      name: "deno-listen",
      label: "Deno, Deno.listen",
      command: streamsServer("deno", "echo"),
    },
    {
      name: "bun-listen",
      label: "Bun, Bun.listen",
      command: bun("bun_listen.ts"),
    },
    {
      name: "node-net",
      label: "Node, node:net",
      command: node("node_net.mjs"),
    },
    {
      name: "deno-net",
      label: "Deno, node:net",
      command: deno("node_net.mjs"),
    },
  ];
}

/** The same, and one for which a core that is busy all the time is no loss. */
export function lonelyTcpServers(tools: Tools): ServerProgram[] {
  const spinning = {
    name: "edgewise-spin",
    label: "Edgewise, with spinUs: 100",
    command: [...deno("edgewise.ts"), "spin"],
  };
  return [...tcpServers(tools), spinning];
}

/** Echo servers for datagrams. */
export function udpServers(tools: Tools): ServerProgram[] {
  return [
    {
      name: "c",
      label: "C, recvmmsg and sendmmsg",
      command: [tools.udpEcho],
    },
    {
      name: "c-segments",
      label: "C, and segments: the limit",
      command: [tools.udpEcho, "segments"],
    },
    {
      name: "edgewise",
      label: "Edgewise, engine.datagram",
      command: deno("edgewise_udp.ts"),
    },
    {
      name: "edgewise-single",
      label: "Edgewise, segments off: as C",
      command: [...deno("edgewise_udp.ts"), "single"],
    },
    {
      name: "deno-listen",
      label: "Deno, Deno.listenDatagram",
      command: deno("deno_datagram.ts", "--unstable-net"),
    },
  ];
}

/** Servers that say hello. */
export function httpServers(): ServerProgram[] {
  const example = benchFile("../examples/http_server.ts");
  return [
    {
      name: "edgewise",
      label: "Edgewise, the HTTP example",
      command: isFile(example) ? [...denoRun(), example, "0"] : undefined,
    },
    {
      name: "deno-serve",
      label: "Deno, Deno.serve",
      command: deno("deno_serve.ts"),
    },
    {
      name: "bun-serve",
      label: "Bun, Bun.serve",
      command: bun("bun_serve.ts"),
    },
    {
      name: "node-http",
      label: "Node, node:http",
      command: node("node_http.mjs"),
    },
    {
      name: "deno-http",
      label: "Deno, node:http",
      command: deno("node_http.mjs"),
    },
  ];
}

/** A server on Deno's own interfaces, see `streams/server.ts`. */
export function streamsServer(net: string, what: string): string[] {
  return [...denoRun(), benchFile("streams/server.ts"), net, what];
}

function deno(file: string, ...more: string[]): string[] {
  return [...denoRun(...more), peerFile(file)];
}

function bun(file: string): string[] | undefined {
  return on(findProgram("BUN", "bun"), file);
}

function node(file: string): string[] | undefined {
  return on(findProgram("NODE", "node"), file);
}

function on(program: string | undefined, file: string) {
  return program === undefined ? undefined : [program, peerFile(file)];
}

function peerFile(file: string): string {
  return benchFile(`peers/${file}`);
}
