/** The end of processes as events. */
import process from "node:process";
import { assertEquals, assertThrows } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { Engine, type ProcessExit, ProcessWatch, SystemError } from "../mod.ts";
import { ENOSYS, SIGKILL, waitid } from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { Program } from "./support/process.ts";
import { send } from "./support/signals.ts";

/** A child that a shell script makes, and that is reaped in the end. */
class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #closed: Promise<void>;

  constructor(script: string) {
    const child: ChildProcess = spawn("sh", ["-c", script], {
      stdio: "ignore",
    });
    this.pid = child.pid as number;
    this.#closed = new Promise((resolve) => child.on("close", () => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closed;
  }
}

const ENDS: [script: string, exit: ProcessExit][] = [
  ["exit 0", { code: 0, signal: null }],
  ["exit 42", { code: 42, signal: null }],
  ["kill -KILL $$", { code: null, signal: "SIGKILL" }],
  ["kill -SEGV $$", { code: null, signal: "SIGSEGV" }],
];

for (const [script, expected] of ENDS) {
  test(`a child is seen to end by \`${script}\` while run() blocks this thread`, async () => {
    using engine = new Engine();
    await using child = new Child(`ulimit -c 0; ${script}`);
    const exits: ProcessExit[] = [];
    const watch = new ProcessWatch(engine, child.pid, (exit) => {
      assertEquals(watch.closed, true);
      exits.push(exit);
      engine.stop();
    });
    assertEquals(watch.pid, child.pid);
    engine.run();
    assertEquals(exits, [expected]);
  });
}

test("beside the runtime, which may ask first, the end is still told, once", async () => {
  using engine = new Engine();
  await using program = new Program("sh", ["-c", "exit 7"]);
  let ends = 0;
  new ProcessWatch(engine, program.pid, (exit) => {
    ends++;
    assertEquals(exit.signal, null);
    engine.stop();
  });
  await engine.start();
  assertEquals(ends, 1);
  assertEquals((await program.finished()).code, 7);
});

test("the end of a process that is no child has no status", async () => {
  using engine = new Engine();
  // The shell prints the process that it made, and waits for it.
  await using program = new Program("sh", ["-c", "sleep 60 & echo $!; wait"]);
  const [pid] = await program.waitFor(/\d+\n/);
  const exits: ProcessExit[] = [];
  new ProcessWatch(engine, Number(pid), (exit) => {
    exits.push(exit);
    engine.stop();
  });
  send(Number(pid), SIGKILL);
  engine.run();
  assertEquals(exits, [{ code: null, signal: null }]);
  await program.finished();
});

test("a child that has been asked for has no status", async () => {
  const calls = replacing({
    waitid: (idtype, id, info, options) => {
      const result = waitid(idtype, id, info, options);
      info.fill(0);
      return result;
    },
  });
  using engine = new Engine({}, calls);
  await using child = new Child("exit 3");
  const exits: ProcessExit[] = [];
  new ProcessWatch(engine, child.pid, (exit) => exits.push(exit));
  while (exits.length === 0) engine.turn();
  assertEquals(exits, [{ code: null, signal: null }]);
});

test("a closed watch tells nobody, and the process goes on", async () => {
  using engine = new Engine();
  await using program = new Program("sleep", ["60"]);
  const watch = new ProcessWatch(engine, program.pid, () => {
    throw new Error("told");
  });
  engine.commit();
  watch.close();
  watch.close();
  send(program.pid, 0);
  assertEquals((await program.end()).signal, "SIGKILL");
  assertEquals(engine.turn(0), 0);
});

test("a handler may close the engine, and the engine closes its watches", async () => {
  await using child = new Child("exit 0");
  await using program = new Program("sleep", ["60"]);
  const engine = new Engine();
  const other = new ProcessWatch(engine, program.pid, () => {});
  new ProcessWatch(engine, child.pid, () => engine.close());
  engine.run();
  assertEquals(other.closed, true);
});

test("a process that is not there is an ESRCH, a number that is none an EINVAL", async () => {
  using engine = new Engine();
  const program = new Program("true", []);
  await program.finished();
  const watch = (pid: number) =>
    assertThrows(() => new ProcessWatch(engine, pid, () => {}), SystemError)
      .code;
  assertEquals(watch(program.pid), "ESRCH");
  assertEquals(watch(0), "EINVAL");
  assertEquals(watch(-1), "EINVAL");
  for (const pid of [NaN, 1.5, 2 ** 32]) {
    assertThrows(() => new ProcessWatch(engine, pid, () => {}), TypeError);
  }
});

test("a kernel without pidfd and a closed engine are told as such", () => {
  const open = (engine: Engine) =>
    assertThrows(
      () => new ProcessWatch(engine, process.pid, () => {}),
      SystemError,
    ).code;
  using old = new Engine({}, replacing({ pidfd_open: () => -ENOSYS }));
  assertEquals(open(old), "ENOSYS");
  const closed = new Engine();
  closed.close();
  assertEquals(open(closed), "EBADF");
});
