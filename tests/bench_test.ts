import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";
import { findProgram } from "../bench/tools.ts";
import { workloads } from "../bench/workloads.ts";
import { Program, PROJECT } from "./support/process.ts";

const cwd = fileURLToPath(PROJECT);
const hasCompiler = findProgram("CC", "cc", "gcc", "clang") !== undefined;

/** Edgewise and another one for each workload. */
const PEERS = "edgewise,c,deno-serve,deno-http,post-message,one-by-one," +
  "deno-timeout,empty,deno";

/** Runs the benchmark with the import map that the tests run with. */
async function bench(args: string[], env: Record<string, string> = {}) {
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

Deno.test("bench measures every workload in one run, writes the figures and draws charts", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/figures.json`;
    const { code, stdout, stderr } = await bench([
      ...["--only", "all", "--quick", "--peers", PEERS],
      ...["--json", file, "--charts", directory],
    ]);
    if (!hasCompiler) {
      assertStringIncludes(stderr, "there is no C compiler");
      return;
    }
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, /This takes about \d+ (s|minutes)\./);
    const { results } = JSON.parse(await Deno.readTextFile(file));
    assertEquals(results.length, workloads.length);
    for (const [index, { workload, peers, targets }] of results.entries()) {
      const { name, title } = workload;
      assertEquals(name, workloads[index].name);
      assertStringIncludes(stdout, title);
      assert(peers.length >= 2, name);
      for (const peer of peers) {
        const [sample, ...more] = peer.samples;
        assertEquals(more, [], name);
        assert(
          (sample.perSecond ?? sample.startMs) > 0,
          `${name} ${peer.name}`,
        );
        assert(sample.othersBusy >= 0, `${name} ${peer.name}`);
      }
      for (const { value } of targets) assert(Number.isFinite(value), name);
      const chart = await Deno.readTextFile(`${directory}/${name}.svg`);
      assertMatch(chart, /^<svg [^]*<\/svg>\s*$/);
      for (const { label } of peers) {
        assertStringIncludes(chart, label.replace("&", "&amp;"), name);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("bench counts what C's echo takes: a wait, a read and a write for some messages", async () => {
  const { code, stdout, stderr } = await bench([
    ...["--only", "echo-64-1", "--rounds", "1", "--seconds", "0.2"],
    ...["--peers", "c"],
  ]);
  if (!hasCompiler) {
    assertStringIncludes(stderr, "there is no C compiler");
    return;
  }
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const isThere = findProgram("STRACE", "strace") !== undefined;
  assertEquals(/ calls {2}server /.test(stdout), isThere);
  // One connection has nobody to share a wait with.
  if (isThere) assertMatch(stdout, / 3\.\d\d /);
});

Deno.test("bench says what is missing where there is no C compiler", async () => {
  const { code, stdout, stderr } = await bench(["--quick"], {
    CC: "/nonexistent/cc",
  });
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertStringIncludes(stderr, "there is no C compiler");
});

Deno.test("bench refuses what it does not know, in one line", async () => {
  const refused = [
    ["--fast"],
    ["--only", "chess"],
    ["--rounds", "0"],
    ...hasCompiler ? [["--peers", "chess"]] : [],
  ];
  for (const args of refused) {
    const { code, stdout, stderr } = await bench(args);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
  }
});

Deno.test("the transfers are exact, and what start() costs is told", async () => {
  await using transfer = Program.deno("bench/transfer.ts", { args: ["2"] });
  const { code, stdout } = await transfer.finished();
  assertEquals({ code, exact: stdout.match(/ exact,/g)?.length }, {
    code: 0,
    exact: 3,
  });
  if (!hasCompiler) return;
  await using latency = Program.deno("bench/start_latency.ts", {
    args: ["0.1"],
  });
  const told = await latency.finished();
  assertEquals({ code: told.code, stderr: told.stderr }, {
    code: 0,
    stderr: "",
  });
  assertMatch(told.stdout, /start\(\), full load/);
});

Deno.test("the micro benches run", async () => {
  await using program = new Program(
    Deno.execPath(),
    ["bench", "--no-lock", "--allow-ffi", "--json", "bench/micro"],
    { cwd },
  );
  const { code, stdout, stderr } = await program.finished();
  assertEquals(code, 0, stderr);
  const { benches } = JSON.parse(stdout);
  const files = [...Deno.readDirSync(`${cwd}/bench/micro`)].length;
  const measured = new Set(
    benches.map(({ origin }: { origin: string }) => origin),
  );
  assertEquals(measured.size, files);
  for (const { name, results } of benches) {
    assert(results.every((result: object) => "ok" in result), name);
  }
});
