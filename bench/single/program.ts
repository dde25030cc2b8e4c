/**
 * One peer's turn, in a process of its own: does the work of a module for a
 * while, and prints what was counted, as JSON.
 *
 *     deno run -A bench/single/program.ts MODULE WARMUP_SECONDS SECONDS
 */
import { readSync } from "node:fs";
import { argv } from "node:process";
import { type Count, Meter } from "../meter.ts";
import type { Work } from "./work.ts";

/** What was counted, and how it divides into operations. */
export interface SingleReport extends Count {
  operations: number;
  /** For each piece of work. */
  calls: number;
}

const [, , module = "", warmup, seconds] = argv;
const { work }: { work: Work } = await import(`./peers/${module}`);
const meter = new Meter({
  warmupSeconds: Number(warmup),
  seconds: Number(seconds),
}, 1);
let calls = 0;
let works = 0;
do {
  calls += work.run();
  works++;
} while (meter.add());
if (meter.count !== null) {
  const report: SingleReport = {
    ...meter.count,
    operations: work.operations,
    calls: calls / works,
  };
  console.log(JSON.stringify(report));
  // It is measured up to here, and ended from outside.
  readSync(0, new Uint8Array(1));
}
