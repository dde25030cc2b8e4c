/**
 * Bridges signals while run() blocks this thread. The argument says how it ends:
 * by closing the bridge, or by leaving it and the engine open.
 */
import process from "node:process";
import { Engine, SignalBridge } from "../../mod.ts";

const engine = new Engine();
const bridge = new SignalBridge(
  engine,
  ["SIGUSR1", "SIGUSR2", "SIGTERM"],
  (name, count) => {
    console.log(`${name} × ${count};`);
    if (name === "SIGTERM") engine.stop();
  },
);
console.log(`ready ${process.pid}`);
engine.run();
if (process.argv[2] === "close") {
  bridge.close();
  bridge.close();
  console.log(`closed ${bridge.closed}`);
  // Ends by a signal that is the process's own again.
  process.kill(process.pid, "SIGUSR2");
  engine.run();
}
console.log("ended");
