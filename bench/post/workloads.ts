/** What is measured between workers, and what it must reach. */
import { column, type Figure, rate, ratio, spreadOf } from "../figures.ts";
import {
  anew,
  type Peer,
  type Target,
  uncut,
  type Workload,
} from "../workload.ts";
import { type PostLoad, takePostTurn } from "./turn.ts";

/** A way to send, which some workers use with each other. */
interface Way {
  name: string;
  label: string;
  /** The module of its workers, in `peers/`. */
  module: string;
}

const meanUs: Figure = {
  name: "meanUs",
  title: "mean µs",
  means: "the time for each, over all of them",
  digits: 3,
};

const medianUs: Figure = {
  name: "medianUs",
  title: "median µs",
  means: "the time for each, the median over short intervals: what other " +
    "programs do hardly shows in it",
  digits: 3,
};

const roundTrips = rate("round trips");
const messages = rate("messages");

const edgewise: Way = {
  name: "edgewise",
  label: "Edgewise, inbox and outbox",
  module: "edgewise.ts",
};
const spinning: Way = {
  name: "edgewise-spin",
  label: "Edgewise, with spinUs: 100",
  module: "edgewise.ts?spin",
};
const postMessage: Way = {
  name: "post-message",
  label: "Deno, postMessage",
  module: "post_message.ts",
};
const bare: Way[] = [
  {
    name: "eventfd",
    label: "bare FFI, blocking eventfd: the limit",
    module: "eventfd.ts",
  },
  {
    name: "eventfd-epoll",
    label: "bare FFI, eventfd in epoll",
    module: "eventfd.ts?epoll",
  },
];

/** Every workload between workers. */
export const postWorkloads: readonly Workload[] = [
  {
    ...roundTrip(false),
    name: "post-round-trip",
    targets: bare.flatMap(({ name: of }): Target[] => [
      { peer: "edgewise", figure: meanUs, of, atMost: 1.15 },
      { peer: "edgewise", figure: medianUs, of, atMost: 1.15 },
    ]),
  },
  { ...roundTrip(true), name: "post-round-trip-one-core" },
  {
    ...oneWay(1),
    name: "post-one-way",
    title: "One way: 64 bytes from a worker to a busy engine",
    targets: [
      {
        peer: "edgewise",
        figure: messages,
        of: "post-message",
        atLeast: 20,
      },
    ],
  },
  {
    ...oneWay(4),
    name: "post-fan-in",
    title: "Fan-in: 64 bytes from 4 workers to one engine",
  },
];

function roundTrip(oneCore: boolean): Omit<Workload, "name"> {
  return {
    ...between([...bare, edgewise, spinning, postMessage], {
      hub: "ping",
      others: 1,
      oneCore,
    }),
    title: "Round trip: 64 bytes between two workers that wait, on " +
      (oneCore ? "the same core" : "a core each"),
    columns: [
      column(roundTrips),
      spreadOf(roundTrips),
      ratio(roundTrips, "eventfd", "of eventfd"),
      ratio(roundTrips, "post-message", "of postMessage"),
      column(meanUs),
      column(medianUs),
      ratio(medianUs, "eventfd", "of eventfd"),
      ratio(medianUs, "eventfd-epoll", "of it in epoll"),
    ],
    charted: [roundTrips, medianUs],
    targets: [],
  };
}

function oneWay(others: number): Omit<Workload, "name" | "title"> {
  return {
    ...between([edgewise, postMessage], {
      hub: "receive",
      others,
      oneCore: false,
    }),
    columns: [
      column(messages),
      spreadOf(messages),
      ratio(messages, "post-message", "of postMessage"),
      column(meanUs),
      column(medianUs),
    ],
    charted: [messages, medianUs],
    targets: [],
  };
}

function between(ways: Way[], load: PostLoad) {
  const peers = ways.map(({ name, label, module }): Peer => ({
    name,
    label,
    open: anew((context) => takePostTurn(module, load, context)),
  }));
  return {
    ...uncut(1),
    candidates: () => peers.map((peer) => ({ name: peer.name, peer })),
  };
}
