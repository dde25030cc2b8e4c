/**
 * An event of the program's own, triggered from another thread: an eventfd wakes
 * the engine, and the handler looks at what has changed. Several triggers may
 * come as one event.
 *
 *     deno run --allow-ffi --allow-read examples/guide/user.ts
 */
import { Engine } from "../../mod.ts";

const TIMES = 3;

using engine = new Engine();
const triggered = new Int32Array(new SharedArrayBuffer(4));

const inbox = engine.inbox({
  notify() {
    const count = Atomics.load(triggered, 0);
    console.log(`user event: triggered ${count} times so far`);
    if (count === TIMES) engine.stop();
  },
}, () => {});

const worker = new Worker(new URL("./user_worker.ts", import.meta.url), {
  type: "module",
});
// The address can be sent to any thread of the process, any number of times.
worker.postMessage({ address: inbox.address, triggered, times: TIMES });

engine.run();
worker.terminate();
console.log("ended");
