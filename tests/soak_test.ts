/** The programs of `soak/`, for a shorter time than they take by themselves. */
import { assertEquals, assertMatch } from "@std/assert";
import { denoArgs, Program, type ProgramResult } from "./support/process.ts";

/** Runs a program of `soak/`, with stand-ins for `@std`. */
async function run(script: string, args: string[]): Promise<ProgramResult> {
  const flags = ["--allow-all", "--import-map=tests/std/import_map.json"];
  await using program = new Program(
    Deno.execPath(),
    denoArgs(`tests/soak/${script}`, { flags, args }),
  );
  return await program.finished();
}

Deno.test("10,000 connections over a failing kernel lose nothing that nobody is told of", async () => {
  const args = ["--connections", "10000", "--seed", "20261126"];
  const { code, stdout, stderr } = await run("churn.ts", args);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertMatch(stdout, /churn, edge: 5000 connections, \d+ exact/);
  assertMatch(stdout, /churn, level: 5000 connections, \d+ exact/);
});

Deno.test("a soak of two seconds finds everything as promised", async () => {
  const args = ["--seconds", "2", "--seed", "20261126"];
  const { code, stdout, stderr } = await run("main.ts", args);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertMatch(stdout, /^soak: 2 s, [1-9]\d* connections \([1-9]\d* exact, /m);
});
