/**
 * A worker wakes an engine that blocks its thread: by a bare notification, and by
 * messages, which arrive whole and in order.
 *
 *     deno run --allow-ffi --allow-read examples/worker_wakeup.ts
 */
import { Engine } from "../mod.ts";

using engine = new Engine();
const decoder = new TextDecoder();

const inbox = engine.inbox({
  // Several notifications close together may come as one.
  notify: () => console.log("woken by a notification"),
}, (message) => {
  // The bytes are valid until this returns; decoding makes a copy.
  const text = decoder.decode(message);
  console.log(`woken by a message: ${text}`);
  if (text === "goodbye") engine.stop();
});

const module = new URL("workers/wakeup_worker.ts", import.meta.url);
const worker = new Worker(module, { type: "module" });
// The address can be sent to any worker, any number of times.
worker.postMessage(inbox.address);

console.log("waiting, with this thread blocked");
engine.run();
worker.terminate();

const { wakeups, posts } = engine.metrics;
console.log(`${posts} messages and ${wakeups} wake-ups`);
