/** The kernel's timers, raw and as events. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Engine,
  SystemError,
  TimerFd,
  type TimerFdClock,
  type TimerFdSetting,
  type Trigger,
} from "../mod.ts";
import {
  check,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  close,
  EAGAIN,
  ECANCELED,
  EINVAL,
  EPOLLET,
  EPOLLIN,
  poll,
  POLLIN,
  read,
  setTimespec,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
  timerfd_create,
  timerfd_gettime,
  timerfd_settime,
} from "../ffi/mod.ts";
import { RawEpoll } from "./conformance/raw_epoll.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const CLOCKS: TimerFdClock[] = ["monotonic", "realtime", "boottime"];

/** A test in both kinds of engine. */
function engineTest(name: string, fn: (engine: Engine) => void): void {
  for (const trigger of TRIGGERS) {
    test(`${name} (${trigger})`, () => {
      using engine = new Engine({ trigger });
      fn(engine);
    });
  }
}

/** Waits until a descriptor is readable, without taking anything. */
function waitReadable(fd: number): void {
  assertEquals(poll(new Int32Array([fd, POLLIN]), 1, -1), 1);
}

/** Blocks this thread until `ms` have passed. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What is left until a timer expires, in milliseconds; 0: it is not set. */
function leftMs(fd: number): number {
  const value = new Int32Array(8);
  check(timerfd_gettime(fd, value), "timerfd_gettime");
  return (value[4] ?? 0) * 1000 + (value[6] ?? 0) / 1e6;
}

test("an edge-triggered timer that is not read gives one event; the read gives the missed count, then ticks go on", () => {
  using epoll = new RawEpoll();
  const fd = check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "create");
  epoll.add(fd, EPOLLIN | EPOLLET);
  const value = new Int32Array(8);
  setTimespec(value, 0, 5);
  setTimespec(value, 4, 5);
  check(timerfd_settime(fd, 0, value), "timerfd_settime");
  assertEquals(epoll.wait(-1).length, 1);
  assertEquals(epoll.wait(20), []);
  const count = new BigUint64Array(1);
  assertEquals(read(fd, new Uint8Array(count.buffer)), 8);
  assertGreater(count[0] as bigint, 1n);
  assertEquals(epoll.wait(-1).length, 1);
  close(fd);
});

test("the kernel refuses a second's worth of nanoseconds, and fewer than none", () => {
  const fd = check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "create");
  for (const nanoseconds of [1_000_000_000, -1]) {
    for (const at of [2, 6]) {
      const value = new Int32Array(8);
      value[4] = 1;
      value[at] = nanoseconds;
      value[at + 1] = nanoseconds < 0 ? -1 : 0;
      assertEquals(timerfd_settime(fd, 0, value), -EINVAL);
    }
  }
  close(fd);
});

engineTest(
  "a loop that is blocked past several periods is called back once, with their count",
  (engine) => {
    const counts: number[] = [];
    const timer = new TimerFd(
      engine,
      (expirations) => counts.push(expirations),
    );
    timer.set({ everyMs: 50 });
    sleep(160);
    engine.turn(0);
    assertEquals(counts.length, 1);
    assertGreaterOrEqual(counts[0] as number, 3);
    engine.turn();
    assertEquals(counts.length, 2);
  },
);

engineTest("a one-shot expires once", (engine) => {
  const counts: number[] = [];
  const timer = new TimerFd(engine, (expirations) => counts.push(expirations));
  timer.set({ afterMs: 1 });
  engine.turn();
  assertEquals(counts, [1]);
  assertEquals(leftMs(timer.fd), 0);
  assertEquals(engine.turn(5), 0);
});

engineTest(
  "setting again clears what was pending, before the wait and after it",
  (engine) => {
    let calls = 0;
    const timer = new TimerFd(engine, () => calls++);
    timer.set({ afterMs: 0 });
    waitReadable(timer.fd);
    timer.set({ afterMs: 60_000 });
    assertEquals(engine.poll(0), 0);
    timer.set({ afterMs: 0 });
    assertEquals(engine.poll(), 1);
    timer.set({ afterMs: 60_000 });
    engine.dispatch();
    assertEquals(calls, 0);
    assertGreater(leftMs(timer.fd), 1_000);
  },
);

engineTest("a cancelled timer calls nobody, and can be set again", (engine) => {
  let calls = 0;
  const timer = new TimerFd(engine, () => calls++);
  timer.cancel();
  timer.set({ everyMs: 1 });
  engine.poll();
  timer.cancel();
  engine.dispatch();
  assertEquals([calls, leftMs(timer.fd)], [0, 0]);
  timer.set({ afterMs: 1 });
  engine.turn();
  assertEquals(calls, 1);
});

for (const clock of CLOCKS) {
  test(`a delay of 0, a time that has passed and the time 0 expire at once (${clock})`, () => {
    using engine = new Engine();
    let calls = 0;
    const timer = new TimerFd(engine, () => calls++, { clock });
    const settings: TimerFdSetting[] = [
      { afterMs: 0 },
      { atMs: timer.now() - 1 },
      { atMs: 0 },
    ];
    for (const setting of settings) {
      timer.set(setting);
      engine.turn();
    }
    assertEquals(calls, settings.length);
  });

  test(`an absolute time is never early, nor is a delay (${clock})`, () => {
    using engine = new Engine();
    let firedAtMs = 0;
    const timer: TimerFd = new TimerFd(
      engine,
      () => firedAtMs = timer.now(),
      { clock },
    );
    for (let round = 0; round < 100; round++) {
      const atMs = timer.now() + round / 50;
      if (round % 2 === 0) timer.set({ atMs });
      else timer.set({ afterMs: round / 50 });
      engine.turn();
      // A microsecond for the fraction of a double that counts from 1970.
      assertGreaterOrEqual(firedAtMs, atMs - 0.001);
    }
  });
}

test("the wall clock's time is that of Date.now()", () => {
  using engine = new Engine();
  const timer = new TimerFd(engine, () => {}, { clock: "realtime" });
  const before = Date.now();
  const now = timer.now();
  assert(Math.floor(now) >= before && Math.floor(now) <= Date.now());
});

test("enormous delays and times are taken, and never expire", () => {
  using engine = new Engine();
  const timer = new TimerFd(engine, () => {
    throw new Error("expired");
  });
  for (const ms of [2 ** 31, 2 ** 53, 1e30, Number.MAX_VALUE]) {
    timer.set({ afterMs: ms, everyMs: ms });
    assertGreater(leftMs(timer.fd), 1);
    timer.set({ atMs: ms });
    assertGreater(leftMs(timer.fd), 1);
  }
  assertEquals(engine.turn(0), 0);
});

test("the first expiration is after a period where no other time is given", () => {
  using engine = new Engine();
  const timer = new TimerFd(engine, () => {});
  timer.set({ everyMs: 60_000 });
  assertGreater(leftMs(timer.fd), 50_000);
  timer.set({ afterMs: 600_000, everyMs: 60_000 });
  assertGreater(leftMs(timer.fd), 500_000);
});

test("times that are none are a RangeError that names them, and change nothing", () => {
  using engine = new Engine();
  const timer = new TimerFd(engine, () => {});
  timer.set({ afterMs: 60_000 });
  for (const value of [NaN, -1, Infinity, -Infinity, -1e-9]) {
    for (const name of ["afterMs", "atMs", "everyMs"]) {
      const { message } = assertThrows(
        () => timer.set({ afterMs: 1, ...{ [name]: value } }),
        name === "atMs" ? TypeError : RangeError,
      );
      assertStringIncludes(message, name);
    }
    const { message } = assertThrows(
      () => timer.set({ atMs: value }),
      RangeError,
    );
    assertEquals(
      message,
      `Cannot set the timer: atMs must be finite and not negative, and is ${value}`,
    );
  }
  assertThrows(() => timer.set({ everyMs: 0 }), RangeError);
  assertThrows(() => timer.set({}), TypeError);
  assertGreater(leftMs(timer.fd), 1_000);
});

test("a clock that does not exist is a TypeError, as is waiting for one that nobody sets", () => {
  using engine = new Engine();
  const clock = "sundial" as TimerFdClock;
  const { message } = assertThrows(
    () => new TimerFd(engine, () => {}, { clock }),
    TypeError,
  );
  assertStringIncludes(message, "monotonic, realtime, boottime");
  for (const clock of ["monotonic", "boottime"] as const) {
    assertThrows(
      () => new TimerFd(engine, () => {}, { clock, clockSet() {} }),
      TypeError,
    );
  }
});

test("when somebody sets the wall clock, clockSet is called and not the handler", () => {
  let cancelled = true;
  const counting = new CountingCalls(replacing({
    read: (fd, buffer) => {
      const result = read(fd, buffer);
      return cancelled && result === 8 ? -ECANCELED : result;
    },
  }));
  using engine = new Engine({}, counting.calls);
  const called: string[] = [];
  const timer: TimerFd = new TimerFd(
    engine,
    () => called.push("handler"),
    {
      clock: "realtime",
      clockSet() {
        called.push("clockSet");
        cancelled = false;
        timer.set({ atMs: 0 });
      },
    },
  );
  timer.set({ atMs: 0 });
  engine.turn();
  engine.turn();
  assertEquals(called, ["clockSet", "handler"]);
  const flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  assertEquals(
    counting.named("timerfd_settime").map(({ args }) => args[1]),
    [flags, flags],
  );
  timer.set({ afterMs: 1 });
  assertEquals(counting.named("timerfd_settime").at(-1)?.args[1], 0);
});

test("a setting that finds the clock set in the meantime holds", () => {
  const calls = replacing({
    timerfd_settime: (fd, flags, value) => {
      check(timerfd_settime(fd, flags, value), "timerfd_settime");
      return -ECANCELED;
    },
  });
  using engine = new Engine({}, calls);
  let expired = 0;
  const timer = new TimerFd(engine, (count) => expired += count);
  timer.set({ afterMs: 1 });
  engine.turn();
  assertEquals(expired, 1);
});

test("a closed timer calls nobody, and can't be set", () => {
  using engine = new Engine();
  using timer = new TimerFd(engine, () => {
    throw new Error("expired");
  });
  timer.set({ afterMs: 0 });
  engine.poll();
  timer.close();
  timer.close();
  engine.dispatch();
  assertEquals(timer.closed, true);
  for (const use of [() => timer.set({ afterMs: 1 }), () => timer.cancel()]) {
    assertEquals(assertThrows(use, SystemError).code, "EBADF");
  }
});

test("closing the engine closes its timers; it takes no new ones", () => {
  const engine = new Engine();
  const timer = new TimerFd(engine, () => {});
  timer.set({ everyMs: 1 });
  engine.close();
  assertEquals(timer.closed, true);
  const { code } = assertThrows(
    () => new TimerFd(engine, () => {}),
    SystemError,
  );
  assertEquals(code, "EBADF");
});

test("the count has 64 bits", () => {
  const calls = replacing({
    read: (_fd, buffer) => {
      new DataView(buffer.buffer).setBigUint64(0, 2n ** 40n + 3n, true);
      return 8;
    },
  });
  using engine = new Engine({}, calls);
  let expired = 0;
  const timer = new TimerFd(engine, (count) => expired = count);
  timer.set({ afterMs: 0 });
  engine.turn();
  assertEquals(expired, 2 ** 40 + 3);
});

test("a timer that the kernel reports and has nothing to tell calls nobody", () => {
  const calls = replacing({ read: () => -EAGAIN });
  using engine = new Engine({}, calls);
  const timer = new TimerFd(engine, () => {
    throw new Error("called");
  });
  timer.set({ afterMs: 0 });
  engine.turn();
});

test("a timer's descriptor is close-on-exec and nonblocking, of the clock asked for", () => {
  const counting = new CountingCalls(replacing({}));
  using engine = new Engine({}, counting.calls);
  new TimerFd(engine, () => {}, { clock: "realtime" });
  assertEquals(counting.named("timerfd_create").map(({ args }) => args), [
    [CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK],
  ]);
});
