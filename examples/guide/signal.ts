/**
 * Signals as events, with the one who sent them. From another terminal:
 * `kill -USR1 PID`; `kill PID`, or Ctrl-C here, ends it.
 *
 *     deno run --allow-ffi examples/guide/signal.ts
 */
import process from "node:process";
import { Engine, withSignalsBlocked } from "../../mod.ts";

// Starts the program over once, with the signals blocked in all its threads.
withSignalsBlocked(["SIGUSR1", "SIGTERM", "SIGINT"]);

using engine = new Engine();

engine.signal("SIGUSR1", (info) => {
  console.log(`${info.name} from process ${info.pid}`);
});
engine.signal("SIGTERM", () => engine.stop());
engine.signal("SIGINT", () => engine.stop());

console.log(`process ${process.pid} waits for SIGUSR1`);
engine.run();
console.log("ended");
