/**
 * Prints a line for each signal that is named in its arguments, until SIGTERM.
 * The first argument says how and where the engine runs.
 */
import process from "node:process";
import { getpid, gettid } from "../../ffi/mod.ts";
import { Engine, type SignalName } from "../../mod.ts";

const [how, ...names] = Deno.args;

async function log() {
  using engine = new Engine({ trigger: how === "level" ? "level" : "edge" });
  for (const name of names) {
    engine.signal(name as SignalName, (info) => {
      const { number, code, pid, uid, value, status } = info;
      console.log(
        `${info.name} ${number} code=${code} pid=${pid} uid=${uid}`,
        `value=${value} status=${status};`,
      );
    });
  }
  engine.signal("SIGTERM", () => engine.stop());
  console.log(`ready ${process.pid}`);
  if (how === "start") await engine.start();
  else engine.run();
  console.log("stopped");
}

if (how === "worker" && gettid() === getpid()) {
  new Worker(import.meta.url, { type: "module" });
} else {
  await log();
  // A Worker goes on until it is told to end.
  if (how === "worker") close();
}
