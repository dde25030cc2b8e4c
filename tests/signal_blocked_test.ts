/** Blocking signals in every thread by executing the program again. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fork } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { type SignalName, withSignalsBlocked } from "../mod.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { test } from "./support/descriptors.ts";
import { denoArgs, Program, PROJECT, runDeno } from "./support/process.ts";
import { blocking } from "./support/signals.ts";

const SCRIPT = "tests/children/signal_blocked.ts";
const IN = "tests/children/signal_blocked_in.ts";
// SIGUSR1 is 10, SIGRTMIN+2 is 36: bits 9 and 35.
const MASK = "0000000800000200";

/** Runs a script with `input` on its standard input, a pipe. */
async function runWithInput(
  args: string[],
  input: string,
  options: Deno.CommandOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using child = new Deno.Command(Deno.execPath(), {
    ...options,
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

for (const flag of [scopedFlag, "--allow-ffi"]) {
  const kind = flag === scopedFlag ? "for the C library alone" : "for all FFI";
  test(`the program starts over once with all it had, by permission ${kind}`, async () => {
    const args = ["one", "two words", "", "ünïcode", "--flag", "--"];
    const flags = ["--no-prompt", flag];
    const cwd = realpathSync(tmpdir());
    const result = await runWithInput(
      denoArgs(SCRIPT, { flags, args }),
      "typed before it started",
      { cwd, env: { GREETING: "hello wörld" } },
    );
    const starts = result.stderr.trim().split("\n").map((line) =>
      line.split(" ")
    );
    assertEquals(starts.map(([word]) => word), ["start", "start"]);
    const [first, second] = starts;
    assertEquals(second, first, "process id, count of descriptors");
    const { program, ...found } = JSON.parse(result.stdout);
    assertEquals(found, {
      pid: Number(first?.[1]),
      args,
      cwd,
      greeting: "hello wörld",
      stdin: "typed before it started",
      masks: [MASK],
    });
    assertEquals(program, "deno");
    assertEquals(result.code, 0);
  });
}

test("an environment that is not UTF-8 arrives as it was", async () => {
  await using program = new Program("sh", [
    "-c",
    `X=$(printf 'a\\377b') exec "$@"`,
    "sh",
    Deno.execPath(),
    ...denoArgs("tests/children/signal_environment.ts", {}),
  ]);
  const { stdout } = await program.finished();
  assertEquals(stdout, "97,255,98\n");
});

test("a program that was started with the signals blocked does not start over", async () => {
  await using program = blocking(["USR1", "RTMIN+2"], SCRIPT);
  const { code, stdout, stderr } = await program.finished();
  assertEquals(stderr.match(/start/g)?.length, 1);
  assertEquals(JSON.parse(stdout).masks, [MASK]);
  assertEquals(code, 0);
});

test("a program given to deno eval starts over too", async () => {
  const code = `await import(${JSON.stringify(new URL(SCRIPT, PROJECT))})`;
  const args = ["eval", "--quiet", "--no-lock", code, "argument"];
  const { stdout, stderr } = await runWithInput(args, "");
  assertEquals(stderr.match(/start/g)?.length, 2);
  assertEquals(JSON.parse(stdout).args, ["argument"]);
});

test("no signal needs no start", async () => {
  withSignalsBlocked([]);
  await Promise.resolve();
});

test("children inherit the mask", async () => {
  await using program = blocking(
    ["USR1"],
    "tests/children/signal_mask_of_child.ts",
  );
  assertEquals((await program.finished()).stdout, "0000000000000200\n");
});

test("names that are no signals, and signals that can't be blocked, are TypeErrors", () => {
  for (const name of ["SIGNAL", "SIGKILL", "SIGSTOP", "SIGSEGV"]) {
    assertThrows(() => withSignalsBlocked([name as SignalName]), TypeError);
  }
});

/** Each reason against it says so, and what to do. */
function assertRefused(message: string, why: string): void {
  assertStringIncludes(message, "Cannot block SIGUSR1");
  assertStringIncludes(message, why);
  assertStringIncludes(message, "env --block-signal=USR1");
}

test("under deno test it is refused", () => {
  const { message } = assertThrows(
    () => withSignalsBlocked(["SIGUSR1"]),
    Error,
  );
  assertRefused(message, "test runner");
});

test("in a Worker it is refused", async () => {
  const { stdout } = await runDeno("tests/children/signal_worker.ts");
  assertRefused(stdout, "Worker");
});

test("for a script on standard input it is refused", async () => {
  const script = readFileSync(fileURLToPath(new URL(IN, PROJECT)), "utf8")
    .replaceAll("../../", PROJECT.href);
  const args = ["run", "--quiet", "--no-lock", "--allow-all", "-", "argument"];
  const { stdout } = await runWithInput(args, script);
  assertRefused(stdout, "standard input");
});

test("with an IPC channel it is refused", async () => {
  const child = fork(fileURLToPath(new URL(IN, PROJECT)), ["ipc"], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let stdout = "";
  child.stdout?.on("data", (chunk) => stdout += chunk);
  await new Promise((resolve) => child.on("close", resolve));
  assertRefused(stdout, "IPC channel");
});

test("for a script relative to a directory that was left it is refused", async () => {
  const flags = ["run", "--quiet", "--no-lock", "--allow-all"];
  const cwd = fileURLToPath(PROJECT);
  await using program = new Program(Deno.execPath(), [
    ...flags,
    IN,
    "elsewhere",
  ], { cwd });
  assertRefused((await program.finished()).stdout, "working directory");
});

test("a script with an absolute path may have left its directory", async () => {
  const { stdout } = await runDeno(IN, { args: ["elsewhere"] });
  assertEquals(stdout, "blocked\n");
});

test("where only this thread blocks them already it is refused, not repeated for ever", async () => {
  const { stdout } = await runDeno(IN, { args: ["masked"] });
  assertRefused(stdout, "other threads");
});
