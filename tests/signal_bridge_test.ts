/** Signals by way of Deno's own listeners. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  Engine,
  SignalBridge,
  type StandardSignalName,
  SystemError,
} from "../mod.ts";
import { EMFILE, SIGTERM, SIGUSR1, SIGUSR2 } from "../ffi/mod.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { Program } from "./support/process.ts";
import { blocking, send } from "./support/signals.ts";

const SCRIPT = "tests/children/signal_bridge.ts";

/** A program that has no permission but for the C library, once it is ready. */
async function bridged(...args: string[]): Promise<Program> {
  const flags = ["--no-prompt", scopedFlag];
  const program = Program.deno(SCRIPT, { flags, args });
  await program.waitFor(/ready/);
  return program;
}

test("a bridge brings each signal to an engine whose thread is blocked", async () => {
  await using program = await bridged();
  for (let count = 1; count <= 10; count++) {
    send(program.pid, SIGUSR1);
    await program.waitFor(new RegExp(`(SIGUSR1 × 1;\\s+){${count}}`));
  }
  send(program.pid, SIGUSR2);
  await program.waitFor(/SIGUSR2 × 1;/);
  send(program.pid, SIGTERM);
  const { code, stdout } = await program.finished();
  assertStringIncludes(stdout, "SIGTERM × 1;\nended\n");
  assertEquals(code, 0);
});

test("a bridge that is left open does not keep the process from ending", async () => {
  await using program = await bridged("leave");
  send(program.pid, SIGTERM);
  assertEquals((await program.finished()).code, 0);
});

test("once a bridge is closed its signals act on the process again", async () => {
  await using program = await bridged("close");
  send(program.pid, SIGTERM);
  const { signal, stdout } = await program.finished();
  assertStringIncludes(stdout, "closed true");
  assertEquals(signal, "SIGUSR2");
});

test("closing the engine closes the bridge", () => {
  const engine = new Engine();
  const bridge = new SignalBridge(engine, ["SIGUSR2"], () => {});
  engine.close();
  assertEquals(bridge.closed, true);
});

test("a signal that every thread blocks is the engine's, not a listener's", async () => {
  await using program = blocking(["USR2"], SCRIPT);
  const { code, stderr } = await program.finished();
  assertStringIncludes(stderr, "Cannot bridge SIGUSR2: every thread blocks it");
  assertEquals(code, 1);
});

test("names that can't be listened to are TypeErrors, and leave nothing open", () => {
  using engine = new Engine();
  const before = openDescriptors().size;
  const names = ["SIGNAL", "SIGKILL", "SIGSTOP", "SIGSEGV", "SIGRTMIN"];
  for (const name of names) {
    assertThrows(
      () =>
        new SignalBridge(
          engine,
          ["SIGUSR2", name as StandardSignalName],
          () => {},
        ),
      TypeError,
    );
  }
  assertEquals(openDescriptors().size, before);
});

for (const call of ["eventfd", "fcntl"] as const) {
  test(`a bridge that is refused its second ${call} closes the first`, () => {
    let calls = 0;
    const limited = replacing({
      eventfd: (...args) =>
        call === "eventfd" && ++calls > 1 ? -EMFILE : real.eventfd(...args),
      fcntl: (...args) =>
        call === "fcntl" && ++calls > 1 ? -EMFILE : real.fcntl(...args),
    });
    const real = replacing({});
    using engine = new Engine({}, limited);
    const before = openDescriptors().size;
    const { code } = assertThrows(
      () => new SignalBridge(engine, ["SIGUSR1", "SIGUSR2"], () => {}),
      SystemError,
    );
    assertEquals(code, "EMFILE");
    assertEquals(openDescriptors().size, before);
  });
}

test("a closed engine takes no bridge", () => {
  const engine = new Engine();
  engine.close();
  const { code } = assertThrows(
    () => new SignalBridge(engine, ["SIGUSR2"], () => {}),
    SystemError,
  );
  assertEquals(code, "EBADF");
});
