/** What is measured between workers, and what it must reach. */
import type { PostMeasure } from "./turn.ts";

/** A way to send, which some workers use with each other. */
export interface PostPeer {
  name: string;
  label: string;
  /** The module of its workers, in `peers/`. */
  module: string;
}

/** A bound on a ratio of two peers, taken round by round. */
export interface PostTarget {
  peer: string;
  measure: PostMeasure;
  of: string;
  atLeast?: number;
  atMost?: number;
}

/** One load, given to each peer in turn. */
export interface PostWorkload {
  name: string;
  title: string;
  /** What is counted. */
  unit: string;
  hub: "ping" | "receive";
  /** The workers beside the one that counts. */
  others: number;
  /** Whether all workers share one core. */
  oneCore: boolean;
  peers: PostPeer[];
  /** The peers that the others are compared with. */
  baselines: string[];
  targets: PostTarget[];
}

const edgewise: PostPeer = {
  name: "edgewise",
  label: "Edgewise, inbox and outbox",
  module: "edgewise.ts",
};
const postMessage: PostPeer = {
  name: "post-message",
  label: "Deno, postMessage",
  module: "post_message.ts",
};
const bare: PostPeer[] = [
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
export const postWorkloads: readonly PostWorkload[] = [
  {
    ...roundTrip("post-round-trip", false),
    targets: [
      ...bare.map(({ name }): PostTarget => (
        { peer: "edgewise", measure: "medianUs", of: name, atMost: 1.15 }
      )),
    ],
  },
  roundTrip("post-round-trip-one-core", true),
  {
    ...oneWay("post-one-way", 1),
    title: "One way: 64 bytes from a worker to a busy engine",
    targets: [
      {
        peer: "edgewise",
        measure: "messagesPerSecond",
        of: "post-message",
        atLeast: 20,
      },
    ],
  },
  {
    ...oneWay("post-fan-in", 4),
    title: "Fan-in: 64 bytes from 4 workers to one engine",
  },
];

function roundTrip(name: string, oneCore: boolean): PostWorkload {
  return {
    name,
    title: "Round trip: 64 bytes between two blocked workers on " +
      (oneCore ? "the same core" : "a core each"),
    unit: "round trips/s",
    hub: "ping",
    others: 1,
    oneCore,
    peers: [...bare, edgewise, postMessage],
    baselines: ["eventfd", "eventfd-epoll", "post-message"],
    targets: [],
  };
}

function oneWay(name: string, others: number): Omit<PostWorkload, "title"> {
  return {
    name,
    unit: "messages/s",
    hub: "receive",
    others,
    oneCore: false,
    peers: [edgewise, postMessage],
    baselines: ["post-message"],
    targets: [],
  };
}
