/** What the workers of a peer are told, and how they answer. */
import type { Count } from "../meter.ts";
import type { Durations } from "../workload.ts";

/** The length of the messages. */
export const MESSAGE_BYTES = 64;

/** Messages that each sender may have on their way, whatever carries them. */
export const WINDOW = 8192;

/** A message's bytes, summed up: what each receiver does with it. */
export function checksum(message: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < message.length; at++) sum = (sum + message[at]) | 0;
  return sum;
}

/** What the first worker is told. */
export interface HubOrder extends Durations {
  role: "ping" | "receive";
  /** The other workers. */
  others: number;
  core: number;
}

/** What each other worker is told. */
export interface OtherOrder {
  role: "pong" | "send";
  /** What the hub made for it. */
  link: unknown;
  core: number;
}

/** An order, or for the hub what the others made. */
export type Order = HubOrder | OtherOrder | { links: unknown[] };

/** How a worker answers: with what its other side needs, or in the end the count. */
export type Answer = { links: unknown[] } | { count: Count };

interface Scope {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage(answer: Answer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as Scope;

/** One way to send messages between workers. */
export interface Technique {
  /** Makes what each of the others needs. */
  hub(order: HubOrder): { links: unknown[]; transfer?: Transferable[] };
  /** Runs once the others are there; calls `done` in the end. */
  goHub(order: HubOrder, links: unknown[], done: (count: Count) => void): void;
  /** Makes what the hub needs, and a function that goes to work. */
  other(order: OtherOrder): { link: unknown; go(): void };
}

/** Makes this worker take part in a measurement. */
export function takePart(technique: Technique): void {
  let hubOrder: HubOrder | null = null;
  scope.onmessage = ({ data: order }) => {
    if ("links" in order) {
      if (hubOrder === null) return;
      technique.goHub(
        hubOrder,
        order.links,
        (count) => scope.postMessage({ count }),
      );
      return;
    }
    pinThread(order.core);
    if ("others" in order) {
      hubOrder = order;
      const { links, transfer = [] } = technique.hub(order);
      scope.postMessage({ links }, transfer);
    } else {
      const { link, go } = technique.other(order);
      scope.postMessage({ links: [link] });
      go();
    }
  };
}

/** Keeps this thread on one core. */
function pinThread(core: number): void {
  const { symbols } = Deno.dlopen("libc.so.6", {
    sched_setaffinity: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  });
  const cores = new Uint8Array(128);
  cores[core >> 3] = 1 << (core & 7);
  symbols.sched_setaffinity(0, cores.length, cores);
}
