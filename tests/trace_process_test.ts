/** Traces of engines in processes of their own. */
import { assertEquals, assertMatch } from "@std/assert";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";

test("a trace function that throws does the engine no harm", async () => {
  const { code, stdout } = await runDeno("tests/children/traced.ts", {
    args: ["throws"],
  });
  const lines = new Set(stdout.trim().split("\n"));
  assertEquals([code, [...lines]], [0, ["fired", "from the trace"]]);
});

test("trace: true prints to standard error", async () => {
  const { code, stdout, stderr } = await runDeno("tests/children/traced.ts", {
    args: ["prints"],
  });
  assertEquals([code, stdout], [0, "fired\n"]);
  assertMatch(stderr, /^\d+\.\d{6} timer 1 set, due in -?\d+\.\d{3} ms$/m);
});

test("console.log(engine) shows a line", async () => {
  const { stdout } = await runDeno("tests/children/traced.ts", {
    args: ["prints", "engine"],
  });
  assertMatch(
    stdout,
    /^Engine \{ fd: \d+, descriptors: 0, timers: 0, queued: 0 \}$/m,
  );
});
