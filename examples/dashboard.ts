/**
 * A page that draws a running engine: what it does, how long handlers wait and
 * take, and what the kernel has of its descriptors. Page and reports are served
 * by the engine itself, so that the page shows what it costs.
 *
 *     deno run --allow-ffi examples/dashboard.ts [port] [--demo]
 *
 * Open http://127.0.0.1:8080 in a browser. `--demo` adds a load.
 */
import { argv } from "node:process";
import { Engine } from "../mod.ts";
import { startLoad } from "./dashboard/load.ts";
import { Reports } from "./dashboard/reports.ts";
import { serveViewers } from "./dashboard/viewers.ts";
import { fail } from "./echo.ts";

const words = argv.slice(2);
const demo = words.includes("--demo");
const [argument = "8080"] = words.filter((word) => word !== "--demo");
const port = Number(argument);
if (!/^\d+$/.test(argument) || port > 65535) {
  fail(`The port must be an integer from 0 to 65535, and is ${argument}`);
}
try {
  const engine = new Engine({ timings: true });
  const listener = serveViewers(engine, port, new Reports(engine));
  if (demo) startLoad(engine);
  console.log(`listening on 127.0.0.1:${listener.port}`);
  engine.run();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
