/** What is measured of a server. */
import {
  type Column,
  column,
  type Figure,
  ratio,
  spreadOf,
} from "../figures.ts";

/** The latency that a share of what is asked for beats. */
function latency(name: string, title: string, share: string): Figure {
  return {
    name,
    title,
    means: `latency that ${share} of them beat`,
    digits: 0,
  };
}

export const userUs: Figure = {
  name: "userUs",
  title: "user µs",
  means: "the server's user-mode CPU for each, by the kernel's accounting",
  digits: 2,
};

export const systemUs: Figure = {
  name: "systemUs",
  title: "system µs",
  means: "the kernel's CPU for each, on the server's core",
  digits: 2,
};

const cpuUs: Figure = {
  name: "cpuUs",
  title: "CPU µs",
  means: "",
  digits: 2,
};

const calls: Figure = {
  name: "callsEach",
  title: "calls",
  means: "system calls for each, in a short turn of its own under strace, " +
    "which slows the server so that its waits and reads bring more each",
  digits: 2,
};

export const serverBusy: Figure = {
  name: "serverBusy",
  title: "server",
  means: "how busy the server's core was with it",
  digits: 0,
  isShare: true,
};

const clientBusy: Figure = {
  name: "clientBusy",
  title: "client",
  means: "how busy the load generator was; near 100 % it is the limit, and a " +
    "cheaper server shows in CPU, not in what is done a second",
  digits: 0,
  isShare: true,
};

const lost: Figure = {
  name: "lost",
  title: "lost",
  means: "the share of the datagrams that never came back",
  digits: 0,
  isShare: true,
};

const resident: Figure = {
  name: "residentMiB",
  title: "MiB",
  means: "the server's resident memory after each slice",
  digits: 1,
};

export const wrkRate: Figure = {
  name: "wrkPerSecond",
  title: "by wrk",
  means: "requests a second as wrk counts them, after each slice's own load, " +
    "with a thread for each core: it shares them with the server",
  digits: 0,
};

export const wrkUserUs: Figure = {
  name: "wrkUserUs",
  title: "its user µs",
  means: "the server's user-mode CPU for each of them",
  digits: 2,
};

export const wrkApartRate: Figure = {
  name: "wrkApartPerSecond",
  title: "wrk apart",
  means: "the same with one thread on the client's core, which is full",
  digits: 0,
};

export const bytesEach: Figure = {
  name: "bytesEach",
  title: "bytes each",
  means: "resident memory that the idle connections took, for each of them",
  digits: 0,
};

export const kept: Figure = {
  name: "kept",
  title: "of none idle",
  means:
    "messages a second beside the idle connections, against those of the " +
    "same server before they came",
  digits: 2,
};

/** The table of what servers do; `own` is the peer of Deno's own interface. */
export function serverColumns(perSecond: Figure, own: string): Column[] {
  return [
    column(perSecond),
    spreadOf(perSecond),
    ratio(perSecond, "c", "of C"),
    ratio(perSecond, own, "of Deno"),
    column(latency("p50Us", "p50 µs", "half")),
    column(latency("p99Us", "p99 µs", "99 %")),
    column(userUs),
    ratio(userUs, own, "of Deno"),
    column(systemUs),
    ratio(cpuUs, "c", "CPU of C"),
    column(calls),
    column(serverBusy),
    column(clientBusy),
    column(lost),
    column(resident),
  ];
}
