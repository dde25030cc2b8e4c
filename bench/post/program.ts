/**
 * One peer's turn, in a process of its own: starts its workers, prints what the
 * first one counted, as JSON, and ends.
 *
 *     deno run -A bench/post/program.ts JSON
 */
import type { Durations } from "../workload.ts";
import type { Answer, Order } from "./part.ts";

/** What the program is to do. */
export interface Turn extends Durations {
  /** The module of the workers, relative to `peers/`. */
  module: string;
  hub: "ping" | "receive";
  others: number;
  hubCore: number;
  othersCore: number;
}

class Part {
  readonly #worker: Worker;

  constructor(module: string) {
    const url = new URL(`./peers/${module}`, import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
  }

  tell(order: Order, transfer: Transferable[] = []): void {
    this.#worker.postMessage(order, transfer);
  }

  answer(): Promise<Answer> {
    return new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
    });
  }
}

const { module, hub, others, hubCore, othersCore, warmupSeconds, seconds }:
  Turn = JSON.parse(Deno.args[0]);

const first = new Part(module);
first.tell({ role: hub, others, core: hubCore, warmupSeconds, seconds });
const made = await first.answer();
const links: unknown[] = [];
for (const link of "links" in made ? made.links : []) {
  const other = new Part(module);
  const ports = Object.values(link ?? {}).filter((value) =>
    value instanceof MessagePort
  );
  other.tell({
    role: hub === "ping" ? "pong" : "send",
    link,
    core: othersCore,
  }, ports);
  const answer = await other.answer();
  if ("links" in answer) links.push(...answer.links);
}
first.tell({ links });
const answer = await first.answer();
if ("count" in answer) console.log(JSON.stringify(answer.count));
// It is measured up to here, and ended from outside: its workers are blocked.
await Deno.stdin.read(new Uint8Array(1));
Deno.exit(0);
