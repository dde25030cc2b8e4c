/** Signals as events: real ones, sent by another process. */
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { readFileSync } from "node:fs";
import process from "node:process";
import { Engine, type SignalName, SystemError } from "../mod.ts";
import {
  ENOENT,
  open,
  SI_QUEUE,
  SI_USER,
  SIGCONT,
  SIGRTMIN,
  SIGSTOP,
  SIGTERM,
  SIGUSR1,
  SIGUSR2,
} from "../ffi/mod.ts";
import { blocksAll } from "../src/signals_blocked.ts";
import { signalNumber } from "../src/signal_names.ts";
import { BLOCKED, scenarios } from "./children/signal_scenarios.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import type { Program } from "./support/process.ts";
import {
  blocking,
  send,
  sendValue,
  statusOf,
  threadsOf,
} from "./support/signals.ts";

const LOG = "tests/children/signal_log.ts";
const SENDER = `pid=${process.pid} uid=${process.getuid?.()}`;

/** A program that prints the signals it gets, once it is ready. */
async function logging(how: string, ...names: string[]): Promise<Program> {
  const signals = [...names, "SIGTERM"].map((name) => name.slice(3));
  const program = blocking(signals, LOG, { args: [how, ...names] });
  await program.waitFor(/ready/);
  return program;
}

/** The lines that a program printed for signals. */
function signalLines({ stdout }: Program): string[] {
  return stdout.split("\n").filter((line) => line.startsWith("SIG"));
}

/** Waits until a process has stopped, or goes on. */
async function state(pid: number, wanted: RegExp): Promise<void> {
  while (!wanted.test(statusOf(pid, "State"))) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

for (const how of ["edge", "level", "start", "worker"]) {
  test(`20 × SIGUSR1 from another process are all seen, each with its sender (${how})`, async () => {
    await using program = await logging(how, "SIGUSR1");
    const line = `SIGUSR1 10 code=${SI_USER} ${SENDER} value=0 status=0;`;
    for (let count = 1; count <= 20; count++) {
      send(program.pid, SIGUSR1);
      await program.waitFor(new RegExp(`(${line}\\s+){${count}}`));
    }
    send(program.pid, SIGTERM);
    const { code } = await program.finished();
    assertEquals(code, 0);
    assertEquals(signalLines(program), Array(20).fill(line));
  });
}

test("standard signals coalesce; real-time ones come in order with their values, the lowest number first", async () => {
  const names = ["SIGUSR1", "SIGRTMIN", "SIGRTMIN+1"];
  await using program = await logging("edge", ...names);
  send(program.pid, SIGSTOP);
  await state(program.pid, /^T/);
  for (const value of [7, -8, 9, 10, 11]) {
    sendValue(program.pid, SIGRTMIN + 1, value);
    sendValue(program.pid, SIGRTMIN, value + 1);
    send(program.pid, SIGUSR1);
  }
  send(program.pid, SIGCONT);
  await program.waitFor(/SIGRTMIN\+1 .* value=11 /);
  send(program.pid, SIGTERM);
  await program.finished();
  const queued = (name: string, number: number, values: number[]) =>
    values.map((value) =>
      `${name} ${number} code=${SI_QUEUE} ${SENDER} value=${value} status=0;`
    );
  assertEquals(signalLines(program), [
    `SIGUSR1 10 code=${SI_USER} ${SENDER} value=0 status=0;`,
    ...queued("SIGRTMIN", 34, [8, -7, 10, 11, 12]),
    ...queued("SIGRTMIN+1", 35, [7, -8, 9, 10, 11]),
  ]);
});

test("a signal to another thread is not seen; one to the engine's thread is", async () => {
  await using program = await logging("edge", "SIGUSR1", "SIGUSR2");
  const [main = 0, ...others] = threadsOf(program.pid);
  assertEquals(main, program.pid);
  assert(others.length > 0);
  for (const tid of others) send(program.pid, SIGUSR1, tid);
  send(program.pid, SIGUSR2, main);
  await program.waitFor(/SIGUSR2/);
  send(program.pid, SIGTERM);
  await program.finished();
  assertEquals(signalLines(program).map((line) => line.split(" ")[0]), [
    "SIGUSR2",
  ]);
});

test("a signal that threads do not block is refused, with what to do, and the mask stays", () => {
  using engine = new Engine();
  const mask = () =>
    /SigBlk:.*/.exec(readFileSync("/proc/thread-self/status", "utf8"))?.[0];
  const before = mask();
  const { message } = assertThrows(
    () => engine.signal("SIGUSR1", () => {}),
    Error,
  );
  assertStringIncludes(message, "Cannot watch SIGUSR1");
  assertStringIncludes(message, 'withSignalsBlocked(["SIGUSR1"])');
  assertStringIncludes(message, "env --block-signal=USR1");
  assertStringIncludes(message, "SignalBridge");
  assertEquals(mask(), before);
});

test("where /proc can't be read it is an error, and the mask stays", () => {
  const calls = replacing({
    open: (path, flags) =>
      path.startsWith("/proc") ? -ENOENT : open(path, flags),
  });
  using engine = new Engine({}, calls);
  const { code, address } = assertThrows(
    () => engine.signal("SIGUSR1", () => {}),
    SystemError,
  );
  assertEquals([code, address], ["ENOENT", "/proc/self/task"]);
  assertEquals(blocksAll(calls, [SIGUSR1]), false);
});

test("a closed engine watches nothing", () => {
  const engine = new Engine();
  engine.close();
  const { code } = assertThrows(
    () => engine.signal("SIGUSR1", () => {}),
    SystemError,
  );
  assertEquals(code, "EBADF");
});

test("real-time signals are named from either end", () => {
  assertEquals(signalNumber("SIGRTMAX"), 64);
  assertEquals(signalNumber("SIGRTMAX-1"), 63);
  assertEquals(signalNumber("SIGRTMAX-30"), signalNumber("SIGRTMIN"));
  assertEquals(signalNumber("SIGRTMIN+30"), signalNumber("SIGRTMAX"));
});

test("a signal watched by its name from SIGRTMAX is told by that from SIGRTMIN", async () => {
  await using program = await logging("edge", "SIGRTMAX-28");
  sendValue(program.pid, SIGRTMIN + 2, 5);
  await program.waitFor(/SIGRTMIN\+2 36 .* value=5 /);
  send(program.pid, SIGTERM);
  assertEquals((await program.finished()).code, 0);
});

test("a name that is no signal is a TypeError", () => {
  using engine = new Engine();
  const names = ["SIGUSR3", "USR1", "sigterm", "toString", "", "SIGRTMIN+0"];
  names.push("SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMAX+1", "SIGRTMAX-31", "15");
  for (const name of names) {
    const error = assertThrows(
      () => engine.signal(name as SignalName, () => {}),
      TypeError,
    );
    assertStringIncludes(error.message, `Cannot find the signal ${name}:`);
  }
});

test("SIGKILL, SIGSTOP and the signals of faults are a TypeError that says why", () => {
  using engine = new Engine();
  const names: SignalName[] = ["SIGKILL", "SIGSTOP"];
  for (const name of names) {
    const watch = () => engine.signal(name, () => {});
    assertStringIncludes(assertThrows(watch, TypeError).message, "kernel");
  }
  const faults: SignalName[] = ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"];
  for (const name of faults) {
    const watch = () => engine.signal(name, () => {});
    assertStringIncludes(assertThrows(watch, TypeError).message, "fault");
  }
});

for (const name of Object.keys(scenarios)) {
  test(name, async () => {
    const script = "tests/children/signal_scenarios.ts";
    await using program = blocking(BLOCKED, script, { args: [name] });
    const { code, signal, stdout, stderr } = await program.finished();
    assertEquals({ code, signal, stdout, stderr }, {
      code: 0,
      signal: null,
      stdout: "held\n",
      stderr: "",
    });
  });
}
