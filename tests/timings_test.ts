/** Where an engine says that its time goes, by a clock that only moves when told. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { EFD_CLOEXEC, EFD_NONBLOCK, eventfd } from "../ffi/mod.ts";
import { Engine, type EngineTimings } from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { VirtualClock } from "./support/matrix_clock.ts";

function timed(): [Engine, VirtualClock, EngineTimings] {
  const clock = new VirtualClock();
  const engine = new Engine({ timings: true }, clock.calls);
  const { timings } = engine.metrics;
  assert(timings !== null);
  return [engine, clock, timings];
}

function readable(): number {
  return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

test("timings are null unless they are asked for", () => {
  using engine = new Engine();
  assertStrictEquals(engine.metrics.timings, null);
});

test("waits and handlers share the time out between them", () => {
  const [engine, clock, timings] = timed();
  using _ = engine;
  engine.timer(30, () => clock.nowMs += 5);
  engine.turn();
  assertEquals([timings.waitMs, timings.handlersMs], [30, 5]);
  assertEquals([timings.handler.count, timings.handler.maxMs], [1, 5]);
});

test("the second handler of a wait is late by what the first one took", () => {
  const [engine, clock, timings] = timed();
  using _ = engine;
  for (let index = 0; index < 2; index++) {
    const event = engine.register(readable(), {
      read() {
        clock.nowMs += 7;
        event.close();
      },
    });
    event.enableRead();
  }
  engine.turn(0);
  assertEquals(timings.latency.count, 2);
  assertEquals([timings.latency.totalMs, timings.latency.maxMs], [7, 7]);
});

test("what dispatchMax leaves queued is late by the turns that it missed", () => {
  const clock = new VirtualClock();
  using engine = new Engine({ timings: true, dispatchMax: 1 }, clock.calls);
  for (let index = 0; index < 200; index++) {
    engine.timer(0, () => clock.nowMs += 1);
  }
  while (engine.turn(0) > 0);
  const { latency, turn } = engine.metrics.timings ?? {};
  assertEquals([latency?.count, latency?.maxMs], [200, 199]);
  assert(turn !== undefined && turn.maxMs > 0);
});

test("a timer's lateness counts from its deadline", () => {
  const [engine, clock, timings] = timed();
  using _ = engine;
  engine.timer(10, () => {});
  clock.nowMs += 12;
  engine.turn(0);
  const { count, maxMs } = timings.timerLateness;
  assertEquals([count, maxMs], [1, 2]);
});

test("a handler that throws is timed, and one that was dropped is not", () => {
  const [engine, clock, timings] = timed();
  using _ = engine;
  const failing = engine.timer(0, () => {
    clock.nowMs += 3;
    other.cancel();
    throw new Error("expected");
  });
  const other = engine.timer(0, () => {});
  try {
    engine.turn(0);
  } catch (error) {
    assertEquals((error as Error).message, "expected");
  }
  engine.turn(0);
  assertEquals([timings.handler.count, timings.handlersMs], [1, 3]);
  assert(!failing.active);
});

test("a handler that turns the engine counts as one", () => {
  const [engine, clock, timings] = timed();
  using _ = engine;
  engine.timer(0, () => {
    clock.nowMs += 1;
    engine.timer(0, () => clock.nowMs += 2);
    engine.turn(0);
  });
  engine.turn(0);
  assertEquals([timings.handler.count, timings.handlersMs], [1, 3]);
});

test("waits on another thread count as waits", async () => {
  using engine = new Engine({ timings: true });
  engine.timer(2, () => engine.stop());
  await engine.start();
  const waitMs = engine.metrics.timings?.waitMs ?? 0;
  assert(waitMs > 0, `${waitMs} ms`);
});

test("the depth of each queue is told by its name", () => {
  using engine = new Engine();
  const event = engine.register(readable(), { read: () => event.close() });
  event.enableRead();
  engine.timer(0, () => {});
  engine.poll(0);
  const { fast, read, write } = engine.metrics.queues;
  assertEquals([fast, read, write], [1, 1, 0]);
  engine.dispatch();
  assert(Object.values(engine.metrics.queues).every((depth) => depth === 0));
});
