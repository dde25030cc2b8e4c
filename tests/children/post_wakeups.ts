/**
 * Lets an engine fall asleep and wakes it by a burst of posts of each sender,
 * again and again. The engine stays busy until the burst is over.
 *
 *     deno run --allow-all tests/children/post_wakeups.ts SENDERS ROUNDS BURST
 */
import { pid } from "node:process";
import { Engine } from "../../mod.ts";
import type { Burst } from "../workers/burst_sender.ts";

const [senders, rounds, burst] = Deno.args.map(Number);
const words = (): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(4));
const started = words();
const posted = words();
const handled = words();

const engine = new Engine();
let received = 0;
const { address } = engine.inbox({}, () => {
  const round = Math.floor(received / (senders * burst));
  const end = (round + 1) * senders;
  for (let seen = 0; (seen = Atomics.load(posted, 0)) < end;) {
    Atomics.wait(posted, 0, seen);
  }
  received++;
  if (received % (senders * burst) !== 0) return;
  Atomics.store(handled, 0, round + 1);
  if (round + 1 === rounds) engine.stop();
});

const workers = Array.from({ length: senders }, () => {
  const url = new URL("../workers/burst_sender.ts", import.meta.url);
  return new Worker(url, { type: "module" });
});
const said = () =>
  Promise.all(workers.map((worker) =>
    new Promise((resolve) => {
      worker.onmessage = resolve;
    })
  ));
const ready = said();
for (const [sender, worker] of workers.entries()) {
  const order: Burst = {
    address,
    isFirst: sender === 0,
    engineThread: pid,
    rounds,
    burst,
    started,
    posted,
    handled,
  };
  worker.postMessage(order);
}
await ready;
const ended = said();
for (const worker of workers) worker.postMessage("go");
engine.run();
await ended;
for (const worker of workers) worker.terminate();
engine.close();
console.log(`received ${received}`);
