/**
 * Waits for a time, then for a client, while signals arrive. Prints what became
 * of the waits as lines of JSON.
 */
import { EINTR, systemCalls } from "../../ffi/mod.ts";
import { Engine, type Trigger } from "../../mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { Files } from "./files.ts";

/** What became of a wait. */
export interface InterruptedReport {
  /** Handlers that were run. */
  ran: number;
  /** How long it took. */
  elapsedMs: number;
  /** How often the kernel's waits were interrupted. */
  interruptions: number;
}

Deno.addSignalListener("SIGUSR2", () => {});
const kernel = new CountingCalls(systemCalls);
using engine = new Engine({ trigger: Deno.args[0] as Trigger }, kernel.calls);
using files = new Files();
const { fd, port } = files.listener();
engine.register(fd, { read() {} }).enableRead();

function measure(turn: () => number): InterruptedReport {
  kernel.reset();
  const start = systemCalls.now();
  const ran = turn();
  const elapsedMs = systemCalls.now() - start;
  const interruptions = kernel.log.filter(({ result }) => result === -EINTR);
  return { ran, elapsedMs, interruptions: interruptions.length };
}

console.log("waiting");
console.log(JSON.stringify(measure(() => engine.turn(1_500))));
console.log(`listening on 127.0.0.1:${port}`);
console.log(JSON.stringify(measure(() => engine.turn())));
// The listener for signals would keep the program.
Deno.exit(0);
