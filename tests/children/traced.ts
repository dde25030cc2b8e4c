/** The child of trace_test.ts: an engine that is traced as the argument says. */
import { Engine } from "../../mod.ts";

/** Throws each time. */
function failing(): void {
  throw new Error("from the trace");
}

addEventListener("error", (event) => {
  event.preventDefault();
  console.log(event.error.message);
});
using engine = new Engine({
  trace: Deno.args[0] === "throws" ? failing : true,
});
engine.timer(0, () => {
  console.log("fired");
  engine.stop();
});
engine.run();
if (Deno.args[1] === "engine") console.log(engine);
