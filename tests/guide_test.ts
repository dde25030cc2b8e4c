/** The guide's examples, as a reader starts them. */
import { assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";
import process from "node:process";
import { SIGINT, SIGTERM, SIGUSR1 } from "../ffi/mod.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { test } from "./support/descriptors.ts";
import { Program, runDeno } from "./support/process.ts";
import { send } from "./support/signals.ts";

const ENDS: [name: string, number: number, flag: string][] = [
  ["SIGTERM", SIGTERM, "--allow-ffi"],
  ["SIGINT", SIGINT, scopedFlag],
];

for (const [name, number, flag] of ENDS) {
  test(`signal.ts tells who sent each SIGUSR1, and ends cleanly on ${name}`, async () => {
    await using program = Program.deno("examples/guide/signal.ts", {
      flags: ["--no-prompt", flag],
    });
    await program.waitFor(/^process \d+ waits for SIGUSR1\n/);
    const line = `SIGUSR1 from process ${process.pid}\n`;
    for (let count = 1; count <= 3; count++) {
      send(program.pid, SIGUSR1);
      await program.waitFor(new RegExp(`(${line}){${count}}`));
    }
    send(program.pid, number);
    assertEquals(await program.finished(), {
      code: 0,
      signal: null,
      stdout: `process ${program.pid} waits for SIGUSR1\n${
        line.repeat(3)
      }ended\n`,
      stderr: "",
    });
  });
}

test("timer.ts counts a timer that repeats until one that does not", async () => {
  const { code, stdout, stderr } = await runDeno("examples/guide/timer.ts", {
    flags: ["--no-prompt", scopedFlag],
  });
  assertEquals([code, stderr], [0, ""]);
  assertMatch(
    stdout,
    /^(periodic: \d+ expired, \d+ in all\n)+one-shot: 1 expired\n(periodic.*\n)?ended\n$/,
  );
  const counts = [...stdout.matchAll(/: (\d+) expired, (\d+)/g)];
  const sum = counts.reduce((total, [, count]) => total + Number(count), 0);
  assertEquals(sum, Number(counts.at(-1)?.[2]));
});

test("user.ts is woken by its worker until it has seen all triggers", async () => {
  const { code, stdout, stderr } = await runDeno("examples/guide/user.ts", {
    flags: ["--no-prompt", "--allow-ffi", "--allow-read"],
  });
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.trim().split("\n");
  assertEquals(lines.at(-1), "ended");
  assertEquals(lines.at(-2), "user event: triggered 3 times so far");
  assertGreaterOrEqual(lines.length, 2);
});
