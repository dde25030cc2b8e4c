/** Bad input: a clear error each, nothing lost, and the engine still usable. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Engine,
  type EngineOptions,
  type FdEvent,
  SystemError,
  type Trigger,
} from "../mod.ts";
import {
  check,
  close,
  epoll_create1,
  errnoName,
  F_GETFD,
  F_GETFL,
  fcntl,
  O_NONBLOCK,
  systemCalls,
} from "../ffi/mod.ts";
import { add, Files } from "./conformance/files.ts";
import { Recorder } from "./conformance/recorder.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { epollEntries } from "./support/fdinfo.ts";
import { VERBS } from "./support/matrix_oracle.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const scratch = new Uint8Array(8);

/** Fails unless the engine still does all of its work. */
function assertUsable(engine: Engine): void {
  using files = new Files();
  const calls: string[] = [];
  const event = engine.register(files.handOver(files.eventfd(1)), {
    read(event) {
      event.read(scratch);
      calls.push("read");
    },
  });
  event.enableRead();
  engine.timer(0, () => calls.push("timer"));
  while (calls.length < 2) engine.turn(1_000);
  assertEquals(calls.sort(), ["read", "timer"]);
  event.close();
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: register() throws a RangeError for what is no descriptor's number`, () => {
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    counting.reset();
    const bad: unknown[] = [
      -1,
      -2147483648,
      0.5,
      7.000001,
      NaN,
      Infinity,
      -Infinity,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      "3",
      3n,
      null,
      undefined,
      true,
      {},
      [3],
    ];
    for (const fd of bad) {
      const error = assertThrows(
        () => engine.register(fd as number, {}),
        RangeError,
      );
      assertMatch(error.message, /descriptor/);
    }
    assertEquals(counting.log, []);
    assertUsable(engine);
  });

  test(`${trigger}: register() throws for a number that is registered, until its event is closed`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const fd = files.handOver(files.eventfd(1));
    const { read } = recorder.handlers("first");
    const first = engine.register(fd, { read });
    for (const verb of VERBS.filter((verb) => verb !== "close")) {
      first[verb]();
      const error = assertThrows(() => engine.register(fd, {}), Error);
      assertMatch(error.message, new RegExp(`${fd}.*registered`));
    }
    first.delete();
    engine.commit();
    assertThrows(() => engine.register(fd, {}), Error);
    // The refused ones have left the first one as it was.
    first.enableRead();
    engine.turn(0);
    assertEquals(recorder.take(), ["first read"]);
    const copy = files.dup(fd);
    first.close();
    files.dupTo(copy, fd);
    const second = engine.register(fd, recorder.handlers("second"));
    second.enableRead();
    engine.turn(0);
    assertEquals(recorder.take(), ["second read"]);
  });

  test(`${trigger}: register() asks nothing of the kernel and changes no flag`, () => {
    using files = new Files();
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    const fd = files.dup(0);
    const flags = [fcntl(fd, F_GETFD), fcntl(fd, F_GETFL)];
    counting.reset();
    const event = engine.register(fd, {});
    assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
    assert(!event.changing && !event.readReady && !event.writeReady);
    assert(!event.pendingEof && !event.closed);
    assertEquals(event.fd, fd);
    engine.commit();
    assertEquals(counting.log, []);
    const nonblocking = check(epoll_create1(0), "epoll_create1");
    files.own(nonblocking);
    engine.register(nonblocking, {}).enableRead();
    engine.commit();
    assertEquals(fcntl(nonblocking, F_GETFL) & O_NONBLOCK, 0);
    assertEquals([fcntl(fd, F_GETFD), fcntl(fd, F_GETFL)], flags);
  });

  test(`${trigger}: a descriptor that is closed or never was one is accepted, and refused at the commit`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const closed = files.handOver(files.eventfd());
    check(close(closed), "close");
    for (const fd of [closed, 1_000_000, 0x7fffffff]) {
      const event = engine.register(fd, recorder.handlers("a"));
      event.enable();
      engine.turn(-1);
      assertEquals(recorder.take(), ["a error EBADF"]);
      assertEquals(event.read(scratch), event.write(scratch));
      assertEquals(errnoName(event.read(scratch)), "EBADF");
      event.close();
    }
    assertUsable(engine);
  });

  test(`${trigger}: a timeout that is no number is a RangeError, and loses nothing`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let called = 0;
    const event = engine.register(files.eventfd(1), { read: () => called++ });
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    for (const bad of [NaN, "5", null, 5n, {}] as unknown as number[]) {
      assertThrows(() => engine.poll(bad), RangeError, "timeout");
      assertThrows(() => engine.turn(bad), RangeError, "timeout");
    }
    assertEquals(called, 0, "turn() checks before it runs anything");
    assertEquals(engine.dispatch(), 1);
    assertUsable(engine);
  });

  test(`${trigger}: negative timeouts and Infinity wait for ever, and -0 not at all`, () => {
    using files = new Files();
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    const event = engine.register(files.eventfd(1), {});
    const waits = (timeoutMs?: number) => {
      event.oneshotRead();
      const [wait] = counting.during("epoll_wait", () => {
        assertEquals(engine.poll(timeoutMs), 1);
      });
      engine.dispatch();
      return wait?.args[3];
    };
    for (const forever of [undefined, -1, -0.001, -5, -Infinity, Infinity]) {
      assertEquals(waits(forever), -1, String(forever));
    }
    assertEquals([waits(0), waits(-0)], [0, 0]);
  });

  test(`${trigger}: -0 is descriptor 0`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const event = engine.register(-0, { error: () => {} });
    assert(Object.is(event.fd, 0));
    assertThrows(() => engine.register(0, {}), Error);
    event.enableRead();
    const other = engine.register(files.eventfd(), {});
    other.enableRead();
    engine.commit();
    assert(epollEntries(engine.fd).some(({ fd }) => fd === other.fd));
    event.detach();
  });

  test(`${trigger}: huge timeouts are clamped and do not wrap`, () => {
    using files = new Files();
    const asked: number[] = [];
    using engine = new Engine({ trigger }, {
      ...systemCalls,
      epoll_pwait2(epfd, words, max, timeoutMs) {
        asked.push(timeoutMs);
        return systemCalls.epoll_pwait2(epfd, words, max, timeoutMs);
      },
    });
    const event = engine.register(files.eventfd(1), {});
    const huge = [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e300];
    for (const timeoutMs of [...huge, Number.MAX_VALUE]) {
      event.oneshotRead();
      assertEquals(engine.turn(timeoutMs), 0);
    }
    assertEquals(asked.length, 6);
    assert(asked.every((ms) => ms > 2 ** 31 - 1_000 && ms < 2 ** 31));
  });

  test(`${trigger}: with every verb a closed event throws EBADF; closing it again does nothing`, () => {
    using files = new Files();
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    const fd = files.handOver(files.eventfd(1));
    const event = engine.register(fd, {});
    event.enable();
    engine.commit();
    event.close();
    counting.reset();
    const verbs: (() => unknown)[] = VERBS.filter((verb) => verb !== "close")
      .map((verb) => () => event[verb]());
    for (
      const verb of [
        ...verbs,
        () => event.read(scratch),
        () => event.write(scratch),
        () => event.detach(),
      ]
    ) {
      const error = assertThrows(verb, SystemError);
      assertEquals([error.code, error.fd], ["EBADF", fd]);
    }
    event.close();
    event[Symbol.dispose]();
    assert(event.closed && !event.changing);
    assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
    assertEquals([engine.commit(), engine.turn(0)], [0, 0]);
    const others = counting.log.filter(({ name }) => name !== "epoll_wait");
    assertEquals(others, [], "the number may be somebody else's by now");
    assertUsable(engine);
  });

  test(`${trigger}: a detached event is over, and its descriptor is the caller's`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const event = engine.register(files.eventfd(1), recorder.handlers("a"));
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    assertEquals(event.detach(), event.fd);
    assertEquals(epollEntries(engine.fd), []);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), []);
    assert(fcntl(event.fd, F_GETFD) >= 0);
    assertThrows(() => event.enableRead(), SystemError);
    event.close();
    assert(fcntl(event.fd, F_GETFD) >= 0, "close() has nothing to close");
    const again = engine.register(event.fd, recorder.handlers("b"));
    again.enableRead();
    engine.turn(0);
    assertEquals(recorder.take(), ["b read"]);
  });

  test(`${trigger}: a closed engine throws EBADF whatever is asked of it; closing again does nothing`, () => {
    using files = new Files();
    const engine = new Engine({ trigger });
    const event = engine.register(files.eventfd(1), {});
    event.enable();
    engine.turn(0);
    const timer = engine.timer(0, () => {});
    engine.close();
    engine.close();
    engine[Symbol.dispose]();
    assertEquals(errnoName(fcntl(engine.fd, F_GETFD)), "EBADF");
    assert(fcntl(event.fd, F_GETFD) >= 0, "what was registered stays open");
    assert(event.closed);
    const calls: (() => unknown)[] = [
      () => engine.register(event.fd, {}),
      () => engine.commit(),
      () => engine.poll(0),
      () => engine.dispatch(),
      () => engine.turn(0),
      () => engine.run(),
      () => engine.timer(0, () => {}),
      () => engine.listen({ port: 0 }, {}),
      () => engine.connect({ port: 1 }, {}),
      () => event.enableRead(),
    ];
    for (const call of calls) {
      assertEquals(assertThrows(call, SystemError).code, "EBADF");
    }
    event.close();
    assert(fcntl(event.fd, F_GETFD) >= 0);
    timer.reset(5);
    timer.cancel();
    engine.stop();
    assert(engine.metrics.turns > 0, "the counters can still be read");
  });

  test(`${trigger}: what a handler throws goes to onError with its source`, () => {
    using files = new Files();
    const told: unknown[] = [];
    using engine = new Engine({
      trigger,
      onError: (error, source) => void told.push(error, source),
    });
    const thrown = [new Error("an error"), "text", undefined, null, 0];
    const events = thrown.map((value) =>
      engine.register(files.eventfd(1), {
        read(event) {
          event.read(scratch);
          throw value;
        },
      })
    );
    for (const event of events) event.enableRead();
    const timer = engine.timer(0, () => {
      throw new Error("timer");
    });
    assertEquals(engine.turn(0), thrown.length + 1);
    for (const [index, event] of events.entries()) {
      const at = told.indexOf(event);
      assert(at > 0, `event ${index} is a source`);
      assertStrictEquals(told[at - 1], thrown[index]);
    }
    const at = told.indexOf(timer);
    assertInstanceOf(told[at - 1], Error);
    assertEquals(told.length, 2 * (thrown.length + 1));
    assertUsable(engine);
  });

  test(`${trigger}: what a handler throws without onError comes out of turn(), run() and dispatch(); nothing of the batch is lost`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const calls: number[] = [];
    const events: FdEvent[] = Array.from(
      { length: 10 },
      (_, index) =>
        engine.register(files.eventfd(), {
          read(event) {
            event.read(scratch);
            calls.push(index);
            if (index % 2 === 0) throw new Error(`thrown by ${index}`);
            if (calls.length === events.length) engine.stop();
          },
        }),
    );
    for (const event of events) event.enableRead();
    engine.turn(0);
    const drives = [
      () => engine.turn(0),
      () => engine.run(),
      () => {
        engine.poll(0);
        engine.dispatch();
      },
    ];
    for (const drive of drives) {
      calls.length = 0;
      for (const event of events) add(event.fd);
      let errors = 0;
      while (calls.length < events.length) {
        try {
          drive();
        } catch (error) {
          assertMatch(String(error), /thrown by/);
          errors++;
        }
      }
      assertEquals(errors, 5);
      assertEquals(calls.toSorted((a, b) => a - b), [...events.keys()]);
    }
    // A stop that came with the last of a batch is still to be taken up.
    engine.stop();
    engine.run();
    assertUsable(engine);
  });

  test(`${trigger}: onError that throws in its turn loses nothing either`, () => {
    using files = new Files();
    let told = 0;
    using engine = new Engine({
      trigger,
      onError() {
        told++;
        throw new Error("from onError");
      },
    });
    const events = Array.from(
      { length: 3 },
      () =>
        engine.register(files.eventfd(1), {
          read(event) {
            event.read(scratch);
            throw new Error("from a handler");
          },
        }),
    );
    for (const event of events) event.enableRead();
    for (let turn = 0; turn < 3; turn++) {
      assertThrows(() => engine.turn(0), Error, "from onError");
    }
    assertEquals([engine.turn(0), told], [0, 3]);
    assertUsable(engine);
  });

  test(`${trigger}: an event without handlers does no harm, and counts as no handler run`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const event = engine.register(files.eventfd(1), {});
    event.enable();
    assertEquals(engine.turn(0), 0);
    assert(event.readReady && event.writeReady);
    assertUsable(engine);
  });
}

test("an engine's options that make no sense throw, and open nothing", () => {
  const bad: [EngineOptions, typeof RangeError | typeof TypeError][] = [
    ...[0, -1, 1.5, NaN, Infinity, 2 ** 31, "5" as unknown as number].flatMap((
      value,
    ): [EngineOptions, typeof RangeError][] => [
      [{ eventsMax: value }, RangeError],
      [{ changesMax: value }, RangeError],
      [{ dispatchMax: value }, RangeError],
    ]),
    ...[-1, 1.5, NaN, 10_001, "5" as unknown as number].map((
      spinUs,
    ): [EngineOptions, typeof RangeError] => [{ spinUs }, RangeError]),
    [{ trigger: "Edge" as Trigger }, TypeError],
    [{ trigger: "" as Trigger }, TypeError],
  ];
  for (const [options, kind] of bad) {
    assertThrows(() => new Engine(options), kind);
  }
});

test("the smallest and large limits work", () => {
  using smallest = new Engine({ eventsMax: 1, changesMax: 1, dispatchMax: 1 });
  assertUsable(smallest);
  using large = new Engine({ eventsMax: 5_000_000, dispatchMax: 1_000_000 });
  assertUsable(large);
});

test("an engine that can't be opened says why", () => {
  const error = assertThrows(
    () => new Engine({}, { ...systemCalls, epoll_create1: () => -24 }),
    SystemError,
  );
  assertEquals([error.code, error.syscall], ["EMFILE", "epoll_create1"]);
});

test("an engine whose descriptor was closed by somebody else says so, and closes", () => {
  const engine = new Engine();
  check(close(engine.fd), "close");
  const error = assertThrows(() => engine.turn(0), SystemError);
  assertEquals([error.code, error.syscall], ["EBADF", "epoll_wait"]);
  engine.close();
});
