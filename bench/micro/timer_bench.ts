/** Timers of an engine beside those of the runtime. */
import { Engine } from "../../mod.ts";

const engine = new Engine();
const handler = () => {};
const postponed = engine.timer(60_000, handler);

Deno.bench("set and cancel: engine.timer", { group: "set and cancel" }, () => {
  engine.timer(60_000, handler).cancel();
});

Deno.bench("set and cancel: setTimeout", {
  group: "set and cancel",
  baseline: true,
}, () => {
  clearTimeout(setTimeout(handler, 60_000));
});

Deno.bench("postpone: timer.reset", () => {
  postponed.reset();
});

Deno.bench("set and fire: engine.timer, with its turn", () => {
  engine.timer(0, handler);
  engine.turn(0);
});
