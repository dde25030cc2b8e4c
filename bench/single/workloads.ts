/** What one process does by itself, and what it must reach. */
import { column, type Figure, rate, ratio, spreadOf } from "../figures.ts";
import { denoRun, findProgram } from "../tools.ts";
import {
  anew,
  type Candidate,
  type Target,
  uncut,
  type Workload,
} from "../workload.ts";
import { takeSingleTurn } from "./turn.ts";

const medianNs: Figure = {
  name: "medianNs",
  title: "ns each",
  means: "the time for each, the median over the pieces of work of a turn",
  digits: 1,
};

const toldCalls: Figure = {
  name: "toldCalls",
  title: "epoll_ctl",
  means: "system calls for 1,000 descriptors",
  digits: 0,
};

const changes = rate("descriptors");
const timers = rate("timers");

/** Every workload of one process. */
export const singleWorkloads: readonly Workload[] = [
  {
    ...commit("", [
      { peer: "edgewise", figure: medianNs, of: "one-by-one", atMost: 1.1 },
      { peer: "edgewise", figure: toldCalls, atMost: 1000 },
    ]),
    name: "commit",
    title: "Commit: a verb for each of 1,000 descriptors, then one commit",
  },
  {
    ...commit("?twice", [{ peer: "edgewise", figure: toldCalls, atMost: 0 }]),
    name: "commit-coalesced",
    title: "Commit: verbs that cancel out, two for each of 1,000 descriptors",
  },
  {
    ...workload([
      deno("edgewise", "Edgewise, engine.timer", "engine_timer.ts"),
      deno("deno-timeout", "Deno, setTimeout", "set_timeout.ts"),
      bun("bun-timeout", "Bun, setTimeout", "set_timeout.ts"),
    ]),
    name: "timers",
    title: "Timers: 100,000 set, then cancelled",
    columns: [
      column(timers),
      spreadOf(timers),
      ratio(timers, "deno-timeout", "of Deno"),
      column(medianNs),
    ],
    charted: [timers, medianNs],
    targets: [
      { peer: "edgewise", figure: timers, of: "deno-timeout", atLeast: 8 },
    ],
  },
];

function commit(
  query: string,
  targets: Target[],
): Omit<Workload, "name" | "title"> {
  return {
    ...workload([
      deno("one-by-one", "bare FFI, one by one", `epoll_ctl.ts${query}`),
      deno("edgewise", "Edgewise, verbs and commit", `commit.ts${query}`),
    ]),
    columns: [
      column(changes),
      spreadOf(changes),
      column(medianNs),
      ratio(medianNs, "one-by-one", "of bare FFI"),
      column(toldCalls),
    ],
    charted: [medianNs, toldCalls],
    targets,
  };
}

function workload(candidates: Candidate[]) {
  return { ...uncut(0.5), candidates: () => candidates };
}

function deno(name: string, label: string, module: string): Candidate {
  return candidate(name, label, module, denoRun());
}

function bun(name: string, label: string, module: string): Candidate {
  const program = findProgram("BUN", "bun");
  if (program === undefined) return { name, peer: null };
  return candidate(name, label, module, [program]);
}

function candidate(
  name: string,
  label: string,
  module: string,
  command: string[],
): Candidate {
  return {
    name,
    peer: {
      name,
      label,
      open: anew((context) => takeSingleTurn(command, module, context)),
    },
  };
}
