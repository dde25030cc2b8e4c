/** Engines in workers: started, stopped, failing, and nothing left behind. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Engine,
  EngineWorker,
  type InboxAddress,
  Outbox,
  runEngineWorker,
  SystemError,
} from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";
import { until, within } from "./support/within.ts";
import type { Role } from "./workers/engine_roles.ts";

const MODULE = new URL("workers/engine_roles.ts", import.meta.url);

function worker(name: Role["name"], role: Omit<Role, "name"> = {}) {
  return new EngineWorker(MODULE, { data: { name, ...role }, name });
}

/** Sends a text to a server, and returns its answer. */
async function echo(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ port });
  await connection.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

test("ready is fulfilled with what the setup function returned", async () => {
  await using echoing = worker("echo");
  const port = await within(echoing.ready, "ready");
  assertEquals(await echo(Number(port), "hello"), "hello");
});

test("the setup function gets a clone of the data", async () => {
  const value = {
    text: "grüße",
    bytes: Uint8Array.of(1, 2),
    map: new Map([[1, 2]]),
  };
  await using cloning = worker("value", { value });
  assertEquals(await within(cloning.ready), value);
});

test("an async setup function is awaited", async () => {
  await using waiting = worker("isAsync", { value: 7 });
  assertEquals(await within(waiting.ready), 7);
});

test("stop() ends a worker that is blocked in the wait", async () => {
  const idle = worker("echo");
  const port = Number(await within(idle.ready));
  assertEquals(await echo(port, "x"), "x");
  await within(idle.stop(), "stop()");
  await within(idle.finished, "finished");
  // What it listened on is closed.
  await assertRejects(() => Deno.connect({ port }));
  await within(idle.stop(), "stop() once more");
});

test("stop() several times, and dispose, do no harm", async () => {
  const stopped = worker("echo");
  await within(stopped.ready);
  await within(Promise.all([stopped.stop(), stopped.stop()]));
  await within(stopped[Symbol.asyncDispose]());
});

test("a worker may stop by itself", async () => {
  for (const name of ["stops", "stopsAtOnce"] as const) {
    const own = worker(name);
    await within(own.ready);
    await within(own.finished);
    await within(own.stop());
  }
});

test("stop() before the worker has begun ends it, and ready is rejected", async () => {
  const early = worker("echo");
  const stopped = early.stop();
  await assertRejects(
    () => within(early.ready),
    Error,
    "stopped before it was ready",
  );
  await within(stopped);
});

test("stop() before the worker has begun throws at nobody who does not ask", async () => {
  await within(worker("echo").stop());
});

test("stop() during setup ends the worker after it, and ready is rejected", async () => {
  using engine = new Engine();
  let begun = false;
  const inbox = engine.inbox({ notify: () => begun = true }, () => {});
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const slow = worker("waits", { address: inbox.address, value: gate });
  await until(() => (engine.turn(0), begun));
  const stopped = slow.stop();
  await assertRejects(
    () => within(slow.ready),
    Error,
    "stopped before it was ready",
  );
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  await within(stopped);
});

test("a failing setup function rejects ready with its error, and ends the worker", async () => {
  for (
    const [name, message] of [
      ["fails", "from setup"],
      ["failsOddly", "no clone of this"],
      ["returnsFunction", "could not be cloned"],
    ] as const
  ) {
    await using failing = worker(name);
    await assertRejects(() => within(failing.ready), Error, message);
    await assertRejects(() => within(failing.finished), Error, message);
    await assertRejects(() => within(failing.stop()), Error, message);
  }
});

test("a SystemError of the worker arrives as one", async () => {
  await using failing = worker("failsWithCode");
  const error = await assertRejects(() => within(failing.ready), SystemError);
  assertEquals(
    [error.code, error.errno, error.syscall, error.fd, error.address],
    ["EADDRINUSE", 98, "bind", 7, "127.0.0.1:80"],
  );
});

test("what a handler throws rejects finished, and ends the worker", async () => {
  const failing = worker("failsLater");
  await within(failing.ready);
  await assertRejects(() => within(failing.finished), Error, "from a handler");
});

test("data that can't be cloned rejects ready", async () => {
  await using wrong = worker("value", { value: () => {} });
  await assertRejects(() => within(wrong.ready), Error, "could not be cloned");
});

test("a module that runs no engine can be stopped", async () => {
  const idle = new EngineWorker("data:text/javascript,");
  await within(idle.stop());
});

test("a module that takes its time to load misses nothing", async () => {
  const slow = `
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { runEngineWorker } = await import("${new URL(
    "../mod.ts",
    import.meta.url,
  )}");
    runEngineWorker((_, data) => data);
  `;
  const module = `data:text/javascript,${encodeURIComponent(slow)}`;
  await using late = new EngineWorker(module, { data: "here" });
  assertEquals(await within(late.ready), "here");
});

test("several workers run at the same time, and answer through inboxes", async () => {
  using engine = new Engine();
  const got: number[] = [];
  const inbox = engine.inbox({}, ([number]) => void got.push(number));
  const address = inbox.address;
  const workers = [1, 2, 3].map(() => worker("mirror", { address }));
  for (const [index, { ready }] of workers.entries()) {
    using outbox = new Outbox(await within(ready) as InboxAddress);
    outbox.post(Uint8Array.of(index));
  }
  await until(() => (engine.turn(0), got.length === 3));
  await within(Promise.all(workers.map((worker) => worker.stop())));
  assertEquals(got.sort(), [0, 1, 2]);
});

test("a program with engines in workers exits by itself once they are stopped", async () => {
  const { code, stdout, stderr } = await runDeno(
    "tests/engine_worker_child.ts",
    {
      flags: ["--allow-ffi", "--allow-read"],
    },
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout, "ready 1\nready 2\nready 3\nrejected\nstopped\n");
});

test("a failure after ready that nobody waits for ends the program", async () => {
  const { code, stdout, stderr } = await runDeno(
    "tests/engine_worker_child.ts",
    {
      flags: ["--allow-ffi", "--allow-read"],
      args: ["fail"],
    },
  );
  assertEquals([code, stdout], [1, "ready\n"]);
  assert(stderr.includes("from a handler"), stderr);
});

test("a module that is not there, or throws, rejects ready", async () => {
  const { code, stdout } = await runDeno("tests/engine_worker_child.ts", {
    args: ["broken"],
  });
  assertEquals([code, stdout], [0, "rejected\nrejected\n"]);
});

test("runEngineWorker() outside a worker says so", () => {
  assertThrows(() => runEngineWorker(() => {}), Error, "the main thread");
});

test("without permission to read the module, ready is rejected", async () => {
  const { stdout } = await runDeno("tests/engine_worker_child.ts", {
    flags: ["--allow-ffi"],
    args: ["denied"],
  });
  assert(stdout.includes("--allow-read"), stdout);
});
