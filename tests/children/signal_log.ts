/**
 * Prints a line for each signal that is named in its arguments, until SIGTERM.
 * The first argument says how the engine runs.
 */
import process from "node:process";
import { Engine, type SignalName } from "../../mod.ts";

const [how, ...names] = Deno.args;
using engine = new Engine({ trigger: how === "level" ? "level" : "edge" });
for (const name of names) {
  engine.signal(name as SignalName, (info) => {
    const { number, code, pid, uid, value, status } = info;
    console.log(
      [info.name, number, `code=${code} pid=${pid} uid=${uid}`].join(" "),
      `value=${value} status=${status};`,
    );
  });
}
engine.signal("SIGTERM", () => engine.stop());
console.log(`ready ${process.pid}`);
if (how === "start") await engine.start();
else engine.run();
console.log("stopped");
