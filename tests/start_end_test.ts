/** How `engine.start()` ends: by whoever says so, with nothing left behind. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Engine } from "../mod.ts";
import { check, EFD_CLOEXEC, EFD_NONBLOCK, eventfd } from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";
import { straceTest, trace } from "./support/strace.ts";
import { until, within } from "./support/within.ts";

const ready = () => check(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");

/** Waits until the engine has made no turn while the event loop went round. */
async function idle(engine: Engine): Promise<void> {
  let turns = -1;
  await until(() => {
    const before = turns;
    turns = engine.metrics.turns;
    return turns > 0 && turns === before;
  });
}

type End = "stop" | "close";

/** Who ends it, and from where. */
const ENDS: Record<string, (engine: Engine, end: End) => void> = {
  "a handler": (engine, end) => void engine.timer(0, () => engine[end]()),
  "a promise callback": (engine, end) =>
    void Promise.resolve().then(() => engine[end]()),
  "a timer of the runtime, while the engine waits": (engine, end) =>
    void idle(engine).then(() => engine[end]()),
  "a timer of the runtime, at full load": (engine, end) => {
    const event = engine.register(ready(), {
      read: (event) => event.enableRead(),
    });
    event.enableRead();
    setTimeout(() => (event.close(), engine[end]()), 3);
  },
  "a promise of a handler": (engine, end) =>
    void engine.timer(
      0,
      () => void Promise.resolve().then(() => engine[end]()),
    ),
};

for (const end of ["stop", "close"] as const) {
  for (const [place, use] of Object.entries(ENDS)) {
    test(`${end}() from ${place} ends start()`, async () => {
      using engine = new Engine();
      const ended = engine.start();
      use(engine, end);
      await within(ended, "start()");
      if (end === "close") return;
      engine.timer(1, () => engine.stop());
      await within(engine.start(), "the next start()");
    });
  }

  test(`${end}() right after start() ends it`, async () => {
    using engine = new Engine();
    const ended = engine.start();
    engine[end]();
    engine[end]();
    await within(ended);
  });
}

test("stop() before start() ends the next one at once", async () => {
  using engine = new Engine();
  let handled = 0;
  engine.timer(0, () => handled++);
  engine.stop();
  await within(engine.start());
  assertEquals(handled, 0);
  engine.timer(1, () => engine.stop());
  await within(engine.start());
  assertEquals(handled, 1);
});

test("another worker's stop() ends start(), whether it waits or not", async () => {
  const worker = new Worker(new URL("workers/stopper.ts", import.meta.url), {
    type: "module",
  });
  using engine = new Engine();
  const inbox = engine.inbox({}, () => {});
  for (const busy of [false, true]) {
    const event = engine.register(ready(), {
      read: (event) => event.enableRead(),
    });
    const ended = engine.start();
    if (busy) event.enableRead();
    else await idle(engine);
    worker.postMessage(inbox.address);
    await within(ended);
    event.close();
  }
  worker.terminate();
});

test("start(), run() and turn() take turns", async () => {
  using engine = new Engine();
  const log: string[] = [];
  for (const verb of ["start", "run", "start", "run"] as const) {
    engine.timer(1, () => {
      log.push(verb);
      engine.stop();
    });
    await engine[verb]();
    engine.timer(0, () => log.push("turn"));
    engine.turn();
  }
  assertEquals(log.join(" "), "start turn run turn start turn run turn");
});

test("what a handler throws comes out of start(), and the rest is not lost", async () => {
  using engine = new Engine();
  const log: string[] = [];
  engine.timer(0, () => log.push("before"));
  engine.timer(0, () => {
    throw new Error("from a handler");
  });
  engine.timer(0, () => log.push("after"));
  engine.timer(0, () => engine.stop());
  await assertRejects(() => within(engine.start()), Error, "from a handler");
  assertEquals(log, ["before"]);
  await within(engine.start());
  assertEquals(log, ["before", "after"]);
});

test("with onError a throwing handler ends nothing", async () => {
  const errors: unknown[] = [];
  using engine = new Engine({ onError: (error) => errors.push(error) });
  engine.timer(0, () => {
    throw new Error("one");
  });
  engine.timer(1, () => {
    throw new Error("two");
  });
  engine.timer(2, () => engine.stop());
  await within(engine.start());
  assertEquals(errors.map(String), ["Error: one", "Error: two"]);
});

test("close() calls the close handlers of connections before start() ends", async () => {
  const engine = new Engine();
  const log: string[] = [];
  const listener = engine.listen({ port: 0 }, {
    open: () => log.push("open"),
    close: () => log.push("close"),
  });
  const ended = engine.start().then(() => log.push("ended"));
  using _client = await Deno.connect({ port: listener.port });
  await until(() => log.length === 1);
  await idle(engine);
  engine.close();
  engine.close();
  await within(ended);
  assertEquals(log, ["open", "close", "ended"]);
});

test("an engine in a worker runs beside the worker's messages", async () => {
  const worker = new Worker(new URL("workers/starter.ts", import.meta.url), {
    type: "module",
  });
  const log: string[] = [];
  worker.onmessage = ({ data }) => log.push(data);
  worker.postMessage("start");
  await until(() => log.includes("timer"));
  worker.postMessage("hello");
  await until(() => log.includes("hello"));
  worker.postMessage("stop");
  await until(() => log.includes("ended"));
  worker.terminate();
});

const WAYS = {
  "a handler's stop()": "",
  "stop() while it waits": "",
  "close() while it waits": "",
  "a handler that throws": ": on purpose",
  "another worker": "",
};

for (const [how, what] of Object.entries(WAYS)) {
  test(`a process whose engine is ended by ${how} exits by itself`, async () => {
    const { code, stdout, stderr } = await runDeno("tests/start_child.ts", {
      flags: ["--allow-ffi", "--allow-read"],
      args: [how],
    });
    assertEquals([code, stdout, stderr], [0, `ended by ${how}${what}\n`, ""]);
  });
}

straceTest(
  "an idle engine holds one ppoll(2), and makes no other call",
  async () => {
    const { calls, stdout } = await trace(
      "tests/start_child.ts",
      ["ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "write"],
      { args: ["five timers"] },
    );
    const [, epfd] = stdout.match(/descriptor (\d+)/) ?? [];
    const ofEngine = calls.filter(({ name, fd, args }) =>
      name === "ppoll"
        ? args.includes(`{fd=${epfd},`)
        : name.startsWith("epoll") && fd === Number(epfd)
    );
    const ppolls = ofEngine.filter(({ name }) => name === "ppoll").length;
    const waits = ofEngine.length - ppolls;
    // Five rounds: a wait that ends as a timer is set, and one for that timer,
    // unless that is due already by then.
    assert(ppolls >= 5 && ppolls <= 10, `${ppolls} calls of ppoll`);
    // A look at what there is follows each, and another one follows a handler.
    assert(waits <= 2 * ppolls, `${waits} calls of epoll_wait`);
  },
);
