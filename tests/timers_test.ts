/** Timers: order, setting again, cancelling, repeating, slack, and the heap. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Engine, type Timer } from "../mod.ts";
import { EINTR, ENOSYS, systemCalls } from "../ffi/mod.ts";
import { Loop } from "../src/loop.ts";
import { Timer as QueuedTimer } from "../src/timers.ts";
import { triggerRules } from "../src/trigger.ts";
import { add, Files } from "./conformance/files.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { VirtualClock } from "./support/matrix_clock.ts";
import { generator } from "./support/random.ts";

/** An engine whose clock moves only when it is told to. */
function virtual(): [Engine, VirtualClock] {
  const clock = new VirtualClock();
  return [new Engine({}, clock.calls), clock];
}

/** Moves the clock and takes the timers that are due then. */
function pass(engine: Engine, clock: VirtualClock, ms: number): number {
  clock.nowMs += ms;
  return engine.turn(0);
}

// Order.

test("timers fire in the order of their deadlines, equal ones as they were set", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  const delays = [30, 10, 20, 10, 30, 0, 20, 10, 0];
  delays.forEach((delay, index) =>
    engine.timer(delay, () => fired.push(index))
  );
  assertEquals(pass(engine, clock, 30), delays.length);
  assertEquals(fired, [5, 8, 1, 3, 7, 2, 6, 0, 4]);
});

test("1,000 equal deadlines fire in the order in which they were set", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  for (let index = 0; index < 1_000; index++) {
    engine.timer(5, () => fired.push(index));
  }
  while (engine.turn(0) > 0 || fired.length < 1_000) clock.nowMs += 1;
  assertEquals(fired, Array.from({ length: 1_000 }, (_, index) => index));
});

test("a timer that is set again to an equal deadline fires after those set before", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: string[] = [];
  const first = engine.timer(10, () => fired.push("first"));
  engine.timer(10, () => fired.push("second"));
  first.reset(10);
  pass(engine, clock, 10);
  assertEquals(fired, ["second", "first"]);
});

test("timers set by a handler fire in a later turn, though their delay is 0", () => {
  const [engine] = virtual();
  using _ = engine;
  let fired = 0;
  const again = () => {
    fired++;
    engine.timer(0, again);
  };
  engine.timer(0, again);
  for (let turn = 1; turn <= 5; turn++) {
    assertEquals(engine.turn(0), 1);
    assertEquals(fired, turn);
  }
});

test("a delay of 0 fires in the next turn, a negative one too", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: string[] = [];
  engine.timer(0, () => fired.push("0"));
  engine.timer(-0, () => fired.push("-0"));
  engine.timer(-5, () => fired.push("-5"));
  engine.timer(-Infinity, () => fired.push("-Infinity"));
  assertEquals(fired, []);
  assertEquals(engine.turn(-1), 4);
  assertEquals(fired, ["0", "-0", "-5", "-Infinity"]);
  assertEquals(clock.nowMs, 1_000, "nothing was waited for");
});

test("poll() queues what is due and runs nothing; dispatch() runs it", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  engine.timer(5, () => fired++);
  assertEquals(engine.poll(-1), 0);
  assertEquals([clock.nowMs, fired], [1_005, 0]);
  assertEquals(engine.dispatch(), 1);
  assertEquals(fired, 1);
});

// Setting again and cancelling.

test("reset() to an earlier and to a later time counts from now", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: [string, number][] = [];
  const note = (name: string) => () => fired.push([name, clock.nowMs]);
  const earlier = engine.timer(100, note("earlier"));
  const later = engine.timer(10, note("later"));
  engine.timer(50, note("between"));
  clock.nowMs += 5;
  earlier.reset(20);
  later.reset(80);
  const end = engine.timer(200, () => engine.stop());
  engine.run();
  assertEquals(fired, [["earlier", 1_025], ["between", 1_050], [
    "later",
    1_085,
  ]]);
  assert(!end.active);
});

test("reset() without a delay takes the last one", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  const timer = engine.timer(10, () => fired++);
  pass(engine, clock, 6);
  timer.reset();
  assertEquals(pass(engine, clock, 6), 0);
  assertEquals(pass(engine, clock, 4), 1);
  timer.reset(3);
  pass(engine, clock, 3);
  timer.reset();
  assertEquals(pass(engine, clock, 3), 1);
  assertEquals(fired, 3);
});

test("postponing many times, and then bringing forward, fires once at the last time", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  const timer = engine.timer(10, () => fired.push(clock.nowMs));
  for (let round = 0; round < 20; round++) {
    assertEquals(pass(engine, clock, 5), 0);
    timer.reset(10);
  }
  timer.reset(1_000);
  timer.reset(500);
  timer.reset(7);
  engine.turn(-1);
  assertEquals(fired, [1_107]);
  assertEquals(pass(engine, clock, 5_000), 0);
});

test("cancel() in a handler of the same batch takes effect", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: string[] = [];
  const timers: Timer[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    timers.push(engine.timer(10, () => {
      fired.push(name);
      if (name === "a") timers[1].cancel();
      if (name === "c") timers[3][Symbol.dispose]();
    }));
  }
  assertEquals(pass(engine, clock, 10), 2);
  assertEquals(fired, ["a", "c"]);
  assertEquals(timers.map(({ active }) => active), [
    false,
    false,
    false,
    false,
  ]);
});

test("cancel() makes sure that the handler is not called, is harmless twice, and reset() undoes it", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  const timer = engine.timer(10, () => fired++);
  assert(timer.active);
  timer.cancel();
  timer.cancel();
  assert(!timer.active);
  assertEquals(pass(engine, clock, 20), 0);
  timer.reset();
  assert(timer.active);
  assertEquals(pass(engine, clock, 10), 1);
  assert(!timer.active);
  timer.cancel();
  assertEquals([fired, pass(engine, clock, 100)], [1, 0]);
});

test("reset() in a handler of the same batch forgets what is due, and fires later", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: [string, number][] = [];
  engine.timer(10, () => {
    fired.push(["first", clock.nowMs]);
    second.reset(5);
  });
  const second = engine.timer(10, () => fired.push(["second", clock.nowMs]));
  assertEquals(pass(engine, clock, 10), 1);
  assert(second.active);
  assertEquals(engine.turn(-1), 1);
  assertEquals(fired, [["first", 1_010], ["second", 1_015]]);
});

test("a timer that is due, cancelled and due again before the queue is drained fires once", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  const timer = engine.timer(1, () => fired++);
  for (let round = 0; round < 3; round++) {
    clock.nowMs += 1;
    engine.poll(0);
    timer.cancel();
    timer.reset(1);
  }
  clock.nowMs += 1;
  engine.poll(0);
  assertEquals(engine.dispatch(), 1);
  assertEquals(fired, 1);
});

test("`using` cancels a timer at the end of its scope", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  {
    using _timer = engine.timer(1, () => fired++);
  }
  assertEquals(pass(engine, clock, 10), 0);
  assertEquals(fired, 0);
});

test("a closed engine calls no timer, and its timers can be cancelled", () => {
  const [engine, clock] = virtual();
  let fired = 0;
  const waiting = engine.timer(1, () => fired++);
  const due = engine.timer(0, () => fired++);
  engine.poll(0);
  engine.close();
  clock.nowMs += 10;
  assert(!waiting.active && !due.active);
  waiting.cancel();
  due.cancel();
  assertEquals(fired, 0);
});

// Repeating.

test("a repeating timer keeps to its periods, though the handlers run late", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  const timer = engine.timer(10, () => fired.push(clock.nowMs), {
    repeat: true,
  });
  for (const ms of [10, 13, 7, 10, 9, 1]) pass(engine, clock, ms);
  assertEquals(fired, [1_010, 1_023, 1_030, 1_040, 1_050]);
  timer.cancel();
  assertEquals(pass(engine, clock, 100), 0);
});

test("a loop that was held up for several periods calls back once, and goes on in step", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  engine.timer(50, () => fired.push(clock.nowMs), { repeat: true });
  assertEquals(pass(engine, clock, 160), 1);
  assertEquals(pass(engine, clock, 39), 0);
  assertEquals(pass(engine, clock, 1), 1);
  clock.nowMs += 10;
  engine.turn(-1);
  assertEquals(fired, [1_160, 1_200, 1_250]);
});

test("a repeating timer that is due several times before its handler runs calls back once", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  engine.timer(10, () => fired++, { repeat: true });
  for (let round = 0; round < 4; round++) {
    clock.nowMs += 10;
    engine.poll(0);
  }
  assertEquals(engine.dispatch(), 1);
  assertEquals(engine.dispatch(), 0);
  assertEquals([fired, engine.metrics.staleEvents], [1, 0]);
});

test("a repeating timer may cancel or set itself in its handler", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: number[] = [];
  const timer: Timer = engine.timer(10, () => {
    fired.push(clock.nowMs);
    if (fired.length === 2) timer.reset(25);
    if (fired.length === 4) timer.cancel();
  }, { repeat: true });
  for (let round = 0; round < 200; round++) pass(engine, clock, 1);
  assertEquals(fired, [1_010, 1_020, 1_045, 1_070]);
  assert(!timer.active);
});

test("a repeating timer whose handler throws goes on", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  engine.timer(10, () => {
    fired++;
    throw new Error("thrown");
  }, { repeat: true });
  for (let round = 0; round < 3; round++) {
    assertThrows(() => pass(engine, clock, 10), Error, "thrown");
  }
  assertEquals(fired, 3);
});

test("the shortest period there is does not hold the loop up", () => {
  using engine = new Engine();
  let fired = 0;
  using _timer = engine.timer(0.000_001, () => fired++, { repeat: true });
  for (let turn = 0; turn < 100; turn++) engine.turn(-1);
  assertGreaterOrEqual(fired, 1);
  assertLessOrEqual(fired, 100);
});

test("a period that is lost in the clock's rounding does not hold the loop up", () => {
  const clock = new VirtualClock(2 ** 43);
  using engine = new Engine({}, clock.calls);
  let fired = 0;
  engine.timer(0.000_001, () => fired++, { repeat: true });
  assertEquals(engine.turn(0), 1);
  assertEquals(engine.turn(0), 0);
  assertEquals(engine.turn(-1), 1);
  assertEquals(fired, 2);
});

// Waiting.

test("a wait is cut to the nearest timer, to the fraction of a millisecond", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  engine.timer(7.25, () => fired++);
  engine.timer(0.125, () => fired++);
  assertEquals(engine.turn(-1), 1);
  assertEquals(clock.waitsMs, [0.125]);
  assertEquals(engine.turn(3), 0);
  assertEquals(engine.turn(1_000), 1);
  assertEquals(clock.waitsMs, [0.125, 3, 4.125]);
  assertEquals(fired, 2);
});

test("where the kernel waits by whole milliseconds, a timer fires late and not early", () => {
  const clock = new VirtualClock();
  using engine = new Engine({}, {
    ...clock.calls,
    epoll_pwait2: () => -ENOSYS,
  });
  const fired: number[] = [];
  engine.timer(0.3, () => fired.push(clock.nowMs));
  engine.timer(1.5, () => fired.push(clock.nowMs));
  engine.turn(-1);
  engine.turn(-1);
  assertEquals(fired, [1_001, 1_002]);
  assertEquals(clock.waitsMs, [1, 1]);
});

for (
  const [what, result] of [["ends too soon", 0], ["is interrupted", -EINTR]]
) {
  test(`a wait that ${what} is taken up again for the rest of its time`, () => {
    const clock = new VirtualClock();
    let waits = 0;
    using engine = new Engine({}, {
      ...clock.calls,
      epoll_pwait2(epfd, words, max, timeoutMs) {
        if (++waits % 2 === 0) {
          return clock.calls.epoll_pwait2(epfd, words, max, timeoutMs);
        }
        clock.nowMs += timeoutMs - 0.5;
        return Number(result);
      },
    });
    let firedMs = 0;
    engine.timer(10, () => firedMs = clock.nowMs);
    assertEquals(engine.turn(-1), 1);
    assertEquals([firedMs, waits], [1_010, 2]);
    assertEquals(engine.turn(7), 0);
    assertEquals([clock.nowMs, waits], [1_017, 4]);
    assertEquals(clock.waitsMs, [0.5, 0.5]);
    assertEquals(engine.metrics.turns, 2);
  });
}

test("an interrupted wait without a timeout is taken up again", () => {
  using files = new Files();
  const clock = new VirtualClock();
  let waits = 0;
  using engine = new Engine({}, {
    ...clock.calls,
    epoll_wait(epfd, words, max, timeoutMs) {
      assertEquals(timeoutMs, -1);
      if (++waits <= 3) return -EINTR;
      return clock.calls.epoll_wait(epfd, words, max, timeoutMs);
    },
  });
  const event = engine.register(files.eventfd(1), {});
  event.enableRead();
  assertEquals(engine.poll(), 1);
  assertEquals(waits, 4);
});

test("cancelled timers end no wait", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  for (let index = 0; index < 100; index++) {
    engine.timer(index, () => {}).cancel();
  }
  engine.timer(500, () => {});
  engine.turn(-1);
  assertEquals(clock.waitsMs, [500]);
});

test("an event ends the wait, and the timers are not due yet", () => {
  using files = new Files();
  const [engine, clock] = virtual();
  using _ = engine;
  const calls: string[] = [];
  const event = engine.register(files.eventfd(1), {
    read: () => void calls.push("read"),
  });
  event.enableRead();
  engine.timer(10, () => calls.push("timer"));
  assertEquals(engine.turn(-1), 1);
  assertEquals(calls, ["read"]);
  event.disable();
  assertEquals(engine.turn(-1), 1);
  assertEquals([calls, clock.nowMs], [["read", "timer"], 1_010]);
});

test("1,000 timers with and without slack are never early", () => {
  using engine = new Engine();
  const random = generator(40);
  let left = 1_000;
  const early: number[] = [];
  for (let index = 0; index < left; index++) {
    const delayMs = random(4_000) / 200;
    const slackMs = index % 3 === 0 ? random(1_000) / 200 : 0;
    const startMs = performance.now();
    engine.timer(delayMs, () => {
      const passedMs = performance.now() - startMs;
      if (passedMs < delayMs) early.push(passedMs - delayMs);
      if (--left === 0) engine.stop();
    }, { slackMs });
  }
  engine.run();
  assertEquals(early, []);
});

test("1,000 waits of 100 µs are never early", () => {
  using engine = new Engine();
  let early = 0;
  for (let round = 0; round < 1_000; round++) {
    const startMs = performance.now();
    engine.turn(0.1);
    if (performance.now() - startMs < 0.1) early++;
  }
  assertEquals(early, 0);
});

// Slack.

test("slack only delays: one wait serves timers that are due within each other's slack", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: [number, number][] = [];
  for (const delay of [10, 12, 14, 16, 18]) {
    engine.timer(delay, () => fired.push([delay, clock.nowMs]), {
      slackMs: 10,
    });
  }
  assertEquals(engine.turn(-1), 5);
  assertEquals(clock.waitsMs, [20]);
  assertEquals(fired.map(([delay]) => delay), [10, 12, 14, 16, 18]);
  assertEquals(new Set(fired.map(([, at]) => at)), new Set([1_020]));
});

test("a timer with slack goes along with one without that fires in between, and not before its time", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const fired: [string, number][] = [];
  engine.timer(10, () => fired.push(["slack", clock.nowMs]), { slackMs: 30 });
  engine.timer(5, () => fired.push(["early", clock.nowMs]));
  engine.timer(15, () => fired.push(["exact", clock.nowMs]));
  engine.turn(-1);
  assertEquals(fired, [["early", 1_005]]);
  engine.turn(-1);
  engine.turn(25);
  assertEquals(fired[1], ["exact", 1_015]);
  assertEquals(fired[2][0], "slack");
  assertLessOrEqual(fired[2][1], 1_040);
  assertEquals(fired.length, 3);
});

// Delays that are no delay, and bad input.

test("Infinity never fires and ends no wait, and enormous delays do not wrap", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  const delays = [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 + 5,
    2 ** 53,
    1e300,
    Number.MAX_VALUE,
    Infinity,
  ];
  const fired: number[] = [];
  const timers = delays.map((delay) =>
    engine.timer(delay, () => fired.push(delay))
  );
  assertEquals(timers.at(-1)?.active, false);
  pass(engine, clock, 2 ** 31 - 2);
  assertEquals(fired, []);
  pass(engine, clock, 3);
  assertEquals(fired, [2 ** 31 - 1, 2 ** 31]);
  pass(engine, clock, 2 ** 31);
  assertEquals(fired.length, 2);
  const infinite = engine.timer(5, () => fired.push(0));
  infinite.reset(Infinity);
  assert(!infinite.active);
  pass(engine, clock, 100);
  assertEquals(fired.at(-1), 2 ** 32 + 5);
  const wait = clock.waitsMs.at(-1);
  assertEquals(wait, 0);
});

test("a wait for an enormous delay is clamped, and goes on until an event comes", () => {
  using files = new Files();
  const clock = new VirtualClock();
  const fd = files.eventfd();
  using engine = new Engine({}, {
    ...clock.calls,
    epoll_pwait2(epfd, words, max, timeoutMs) {
      assertLessOrEqual(timeoutMs, 0x7fffffff);
      if (clock.waitsMs.length === 3) add(fd);
      return clock.calls.epoll_pwait2(epfd, words, max, timeoutMs);
    },
  });
  let called = 0;
  const event = engine.register(fd, { read: () => void called++ });
  event.enableRead();
  engine.timer(1e15, () => called += 100);
  assertEquals(engine.turn(-1), 1);
  assertEquals(called, 1);
  assertEquals(clock.waitsMs.length, 4);
});

test("a delay or a slack that is not a number of milliseconds is a RangeError, and sets nothing", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  const handler = () => fired++;
  const bad: (() => void)[] = [
    () => engine.timer(NaN, handler),
    () => engine.timer("5" as unknown as number, handler),
    () => engine.timer(undefined as unknown as number, handler),
    () => engine.timer(null as unknown as number, handler),
    () => engine.timer(5n as unknown as number, handler),
    () => engine.timer(5, handler, { slackMs: NaN }),
    () => engine.timer(5, handler, { slackMs: -1 }),
    () => engine.timer(5, handler, { slackMs: -Infinity }),
    () => engine.timer(5, handler, { slackMs: Infinity }),
    () => engine.timer(0, handler, { repeat: true }),
    () => engine.timer(-5, handler, { repeat: true }),
    () => engine.timer(NaN, handler, { repeat: true }),
    () => engine.timer(Number.MIN_VALUE, handler, { repeat: true }),
  ];
  for (const call of bad) assertThrows(call, RangeError);
  assertEquals(pass(engine, clock, 1_000), 0);
  const timer = engine.timer(10, handler);
  assertThrows(() => timer.reset(NaN), RangeError);
  assert(timer.active, "a bad reset changes nothing");
  assertEquals(pass(engine, clock, 10), 1);
  const repeating = engine.timer(10, handler, { repeat: true });
  assertThrows(() => repeating.reset(0), RangeError);
  assertEquals(pass(engine, clock, 10), 1);
  assertEquals(fired, 2);
});

test("a repeating timer of Infinity never fires, and can be set", () => {
  const [engine, clock] = virtual();
  using _ = engine;
  let fired = 0;
  const timer = engine.timer(Infinity, () => fired++, { repeat: true });
  pass(engine, clock, 1e9);
  assertEquals(fired, 0);
  timer.reset(5);
  pass(engine, clock, 5);
  pass(engine, clock, 5);
  assertEquals(fired, 2);
});

// Cost.

test("setting, postponing and cancelling make no system call", () => {
  const counting = new CountingCalls(systemCalls);
  using engine = new Engine({}, counting.calls);
  counting.reset();
  const timers = Array.from(
    { length: 100 },
    (_, index) => engine.timer(index, () => {}, { slackMs: index % 5 }),
  );
  for (const timer of timers) timer.reset(50);
  for (const timer of timers) timer.cancel();
  assertEquals(counting.log, []);
});

/** A loop, to look into its heap. */
function bareLoop(clock: VirtualClock): Loop {
  const limits = { eventsMax: 16, changesMax: 16, dispatchMax: 16, spinUs: 0 };
  return new Loop(clock.calls, triggerRules("edge"), limits, undefined);
}

test("100,000 timers that are set and cancelled leave the heap small", () => {
  const loop = bareLoop(new VirtualClock());
  const forget = () => {};
  let highest = 0;
  for (let index = 0; index < 100_000; index++) {
    new QueuedTimer(loop, 1_000 + index % 77, forget, false, 0).cancel();
    highest = Math.max(highest, loop.timers.length);
  }
  assertLess(highest, 200);
  loop.close();
});

test("a request timer that is postponed 100,000 times keeps one place in the heap", () => {
  const clock = new VirtualClock();
  const loop = bareLoop(clock);
  const timers = Array.from(
    { length: 10 },
    () => new QueuedTimer(loop, 1_000, () => {}, false, 0),
  );
  for (let round = 0; round < 10_000; round++) {
    clock.nowMs += 0.5;
    for (const timer of timers) timer.reset();
    if (round % 100 === 0) loop.poll(0);
  }
  assertEquals(loop.timers.length, 10);
  assertEquals(loop.timers.nearestMs(), clock.nowMs + 1_000);
  loop.close();
});

test("of 100,000 live timers half are cancelled, and the others fire in order", () => {
  const clock = new VirtualClock();
  const loop = bareLoop(clock);
  const random = generator(3);
  const fired: number[] = [];
  const timers = Array.from({ length: 100_000 }, () => {
    const delay = random(10_000);
    return new QueuedTimer(loop, delay, () => fired.push(delay), false, 0);
  });
  timers.forEach((timer, index) => index % 2 === 0 && timer.cancel());
  clock.nowMs += 10_000;
  loop.poll(0);
  assertEquals(loop.timers.length, 0);
  while (loop.dispatch() > 0);
  assertEquals(fired.length, 50_000);
  assert(
    fired.every((delay, index) => index === 0 || fired[index - 1] <= delay),
  );
  loop.close();
});

// Against a list.

/** What a timer should be, in a list that is searched from end to end. */
interface Listed {
  timer: Timer;
  id: number;
  delay: number;
  slack: number;
  repeat: boolean;
  /** Null: not set. */
  deadline: number | null;
  order: number;
}

/** Goes through random settings, and compares with the list after each step. */
function fuzz(seed: number, slackMax: number): void {
  const [engine, clock] = virtual();
  using _ = engine;
  const random = generator(seed);
  const list: Listed[] = [];
  let fired: number[] = [];
  let order = 0;

  const set = (listed: Listed, delay: number) => {
    listed.delay = delay;
    listed.deadline = clock.nowMs + delay;
    listed.order = ++order;
  };
  const expire = (listed: Listed) => {
    const { deadline, delay, repeat } = listed;
    if (deadline === null) throw new Error(`Timer ${listed.id} is not set`);
    listed.deadline = null;
    if (!repeat) return;
    const missed = Math.floor((clock.nowMs - deadline) / delay);
    listed.deadline = deadline + (missed + 1) * delay;
    listed.order = ++order;
  };
  const sorted = () =>
    list.filter(({ deadline }) => deadline !== null && deadline <= clock.nowMs)
      .sort((a, b) =>
        Number(a.deadline) - Number(b.deadline) || a.order - b.order
      );

  for (let step = 0; step < 3_000; step++) {
    const delay = 1 + random(60);
    const chosen = list[random(list.length || 1)];
    switch (random(6)) {
      case 0:
      case 1: {
        const id = list.length;
        const repeat = random(8) === 0;
        const slack = slackMax === 0 ? 0 : random(slackMax);
        const timer = engine.timer(delay, () => fired.push(id), {
          repeat,
          slackMs: slack,
        });
        const listed = {
          timer,
          id,
          delay,
          slack,
          repeat,
          deadline: null,
          order: 0,
        };
        set(listed, delay);
        list.push(listed);
        break;
      }
      case 2:
        if (chosen === undefined) break;
        chosen.timer.reset(delay);
        set(chosen, delay);
        break;
      case 3:
        if (chosen === undefined) break;
        chosen.timer.cancel();
        chosen.deadline = null;
        break;
      default: {
        clock.nowMs += random(20);
        const due = sorted();
        fired = [];
        engine.poll(0);
        while (engine.dispatch() > 0);
        if (slackMax === 0) {
          assertEquals(fired, due.map(({ id }) => id), `step ${step}`);
        } else {
          const allowed = new Set(due.map(({ id }) => id));
          const must = due.filter((one) =>
            Number(one.deadline) + one.slack <= clock.nowMs
          );
          assertEquals(fired.filter((id) => !allowed.has(id)), []);
          assertEquals(must.filter(({ id }) => !fired.includes(id)), []);
          assertEquals(new Set(fired).size, fired.length);
        }
        for (const id of fired) expire(list[id]);
      }
    }
    for (const { timer, deadline, id } of list) {
      assertStrictEquals(timer.active, deadline !== null, `timer ${id}`);
    }
    // What has nothing left to do makes room, so that the list stays short.
    if (list.length > 120) {
      for (const { timer } of list) timer.cancel();
      list.length = 0;
    }
  }
}

for (let seed = 1; seed <= 4; seed++) {
  test(`timers do what a sorted list does, seed ${seed}`, () => fuzz(seed, 0));
  test(`timers with slack fire within it, seed ${seed}`, () => fuzz(seed, 25));
}
