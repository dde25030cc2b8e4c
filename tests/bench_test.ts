import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { findProgram } from "../bench/tools.ts";
import { Program, PROJECT } from "./support/process.ts";

/** Runs the benchmark with the import map that the tests run with. */
async function bench(args: string[], env: Record<string, string> = {}) {
  const cwd = fileURLToPath(PROJECT);
  const flags = ["run", "--quiet", "--no-lock", "--allow-all"];
  await using map = new Program(
    Deno.execPath(),
    [...flags, "tests/std/import_map.ts"],
    { cwd },
  );
  const { stdout } = await map.finished();
  await using program = new Program(
    Deno.execPath(),
    [...flags, `--import-map=${stdout.trim()}`, "bench/main.ts", ...args],
    { cwd, env },
  );
  return await program.finished();
}

Deno.test("bench measures every server that is installed and writes the figures", async () => {
  const file = await Deno.makeTempFile();
  try {
    const { code, stdout, stderr } = await bench(["--quick", "--json", file]);
    if (findProgram("CC", "cc", "gcc", "clang") === undefined) {
      assertStringIncludes(stderr, "there is no C compiler");
      return;
    }
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertStringIncludes(stdout, "target: edgewise, messages/s");
    const { results, missing } = JSON.parse(await Deno.readTextFile(file));
    const [{ workload, peers }] = results;
    assertEquals(workload.name, "echo-64-50");
    assertEquals(peers.length + missing.length, 8);
    for (const { name, samples, ratios } of peers) {
      assertEquals(samples.length, 1, name);
      const [{ messagesPerSecond, p50Us, p99Us, cpuUs, residentKiB }] = samples;
      assert(messagesPerSecond > 0 && cpuUs > 0 && residentKiB > 0, name);
      assert(p50Us > 0 && p99Us >= p50Us, name);
      assert(ratios.c.messagesPerSecond > 0, name);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("bench says what is missing where there is no C compiler", async () => {
  const { code, stdout, stderr } = await bench(["--quick"], {
    CC: "/nonexistent/cc",
  });
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertStringIncludes(stderr, "there is no C compiler");
});

Deno.test("bench refuses what it does not know, in one line", async () => {
  for (const args of [["--fast"], ["--only", "chess"], ["--rounds", "0"]]) {
    const { code, stdout, stderr } = await bench(args);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
  }
});
