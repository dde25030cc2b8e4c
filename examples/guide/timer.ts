/**
 * The kernel's timers as events: one that repeats and one that does not, both of
 * the monotonic clock. Each event brings the count of expirations, so that none
 * is lost to a loop that was held up.
 *
 *     deno run --allow-ffi examples/guide/timer.ts
 */
import { Engine, TimerFd } from "../../mod.ts";

using engine = new Engine();
let total = 0;

const periodic = new TimerFd(engine, (expirations) => {
  total += expirations;
  console.log(`periodic: ${expirations} expired, ${total} in all`);
});
periodic.set({ everyMs: 20 });

const oneShot = new TimerFd(engine, (expirations) => {
  console.log(`one-shot: ${expirations} expired`);
  engine.stop();
});
oneShot.set({ afterMs: 110 });

engine.run();
console.log("ended");
