/** Which calls a commit makes, and what the engine says that it made. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
} from "@std/assert";
import { Engine, type FdEvent, type Trigger } from "../mod.ts";
import {
  check,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EpollEvents,
  EPOLLHUP,
  EPOLLIN,
  systemCalls,
} from "../ffi/mod.ts";
import { add, Files, put } from "./conformance/files.ts";
import { maskText } from "./conformance/raw_epoll.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { epollEntries, epollEntry } from "./support/fdinfo.ts";
import { straceTest, trace } from "./support/strace.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const OPERATIONS = new Map<unknown, string>([
  [EPOLL_CTL_ADD, "ADD"],
  [EPOLL_CTL_MOD, "MOD"],
  [EPOLL_CTL_DEL, "DEL"],
]);

/** An engine whose calls are noted. */
function counted(
  options: ConstructorParameters<typeof Engine>[0] = {},
): [Engine, CountingCalls] {
  const counting = new CountingCalls(systemCalls);
  return [new Engine(options, counting.calls), counting];
}

/** The epoll_ctl calls noted, such as `ADD`; with the descriptor, `ADD 7`. */
function changes(counting: CountingCalls, withFd = false): string[] {
  return counting.named("epoll_ctl").map(({ args: [, operation, fd] }) =>
    OPERATIONS.get(operation) + (withFd ? ` ${fd}` : "")
  );
}

/** What the kernel has for a descriptor, in words, less what it always adds. */
function kernelMask(engine: Engine, fd: number): string {
  const mask = epollEntry(engine.fd, fd)?.mask ?? 0;
  return maskText(mask & ~(EPOLLERR | EPOLLHUP));
}

test("edge: enableRead() on an active direction that is not ready is one MOD, and the kernel reports again", () => {
  using files = new Files();
  const [engine, counting] = counted();
  using _ = engine;
  const [end, peer] = files.unixPair();
  let called = 0;
  const event = engine.register(end, { read: () => void called++ });
  event.enableRead();
  engine.turn(0);
  put(peer);
  assertEquals(engine.turn(0), 1);
  assertEquals(engine.turn(0), 0, "an edge is reported once");
  // As after a read by other means that would block.
  event.readReady = false;
  counting.reset();
  event.enableRead();
  event.enableRead();
  assert(event.changing);
  assertEquals(counting.log, []);
  assertEquals(engine.commit(), 1);
  assertEquals(changes(counting), ["MOD"]);
  assert(!event.changing);
  assertEquals(engine.turn(0), 1);
  assertEquals(called, 2);
});

test("edge: enableWrite() on an active direction that is not ready is one MOD", () => {
  using files = new Files();
  const [engine, counting] = counted();
  using _ = engine;
  const event = engine.register(files.eventfd(), {});
  event.enable();
  engine.turn(0);
  event.writeReady = false;
  counting.reset();
  event.enableWrite();
  assertEquals(engine.commit(), 1);
  assertEquals(changes(counting), ["MOD"]);
});

test("edge: a re-arm or a one-shot is forgotten with its direction, though the other one stays", () => {
  using files = new Files();
  const [engine, counting] = counted();
  using _ = engine;
  const both = engine.register(files.eventfd(), {});
  both.enable();
  const writing = engine.register(files.eventfd(), {});
  writing.enableWrite();
  const reading = engine.register(files.eventfd(), {});
  reading.enableRead();
  engine.commit();
  counting.reset();
  both.enableRead();
  both.disableRead();
  both.enableRead();
  assertEquals([both.changing, engine.commit()], [false, 0]);
  both.enableWrite();
  both.disableWrite();
  both.enableWrite();
  assertEquals([both.changing, engine.commit()], [false, 0]);
  writing.oneshotRead();
  writing.enableWrite();
  writing.disableRead();
  assertEquals([writing.changing, engine.commit()], [false, 0]);
  reading.oneshotWrite();
  reading.enableRead();
  reading.disableWrite();
  assertEquals([reading.changing, engine.commit()], [false, 0]);
  // The other direction's demand stays.
  both.enableWrite();
  both.disableRead();
  both.enableRead();
  assertEquals([both.changing, engine.commit()], [true, 1]);
  assertEquals(changes(counting), ["MOD"]);
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: enabling an active direction that is ready makes no call and queues the handler`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const calls: string[] = [];
    const event = engine.register(files.eventfd(1), {
      read: () => void calls.push("read"),
      write: () => void calls.push("write"),
    });
    event.enable();
    engine.turn(0);
    assert(event.readReady && event.writeReady);
    calls.length = 0;
    counting.reset();
    event.enableRead();
    event.enableWrite();
    event.enable();
    assertEquals(engine.commit(), 0);
    assertEquals(engine.dispatch(), 2);
    assertEquals(calls.sort(), ["read", "write"]);
    assertEquals(counting.log, []);
  });

  test(`${trigger}: a later disable, delete or close wins over a re-arm and over a one-shot`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const demands: ((event: FdEvent) => void)[] = [
      (event) => event.enableRead(),
      (event) => event.oneshotRead(),
      (event) => event.oneshotWrite(),
    ];
    const ends: ((event: FdEvent) => void)[] = [
      (event) => event.disable(),
      (event) => event.delete(),
      (event) => event.close(),
    ];
    for (const demand of demands) {
      for (const end of ends) {
        const event = engine.register(files.handOver(files.eventfd()), {});
        event.enableRead();
        engine.commit();
        counting.reset();
        demand(event);
        end(event);
        engine.commit();
        assertEquals(changes(counting), ["DEL"]);
        assert(!event.changing);
        // Enabled once more: nothing is left of the demand.
        if (!event.closed) {
          event.enableRead();
          engine.commit();
          event.blockRead();
          assertEquals(engine.commit(), 0);
          event.close();
        }
      }
    }
    assertEquals(epollEntries(engine.fd), []);
  });

  test(`${trigger}: a one-shot verb is sent though the kernel has its mask, once a commit`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const event = engine.register(files.eventfd(), {});
    for (const expected of ["ADD", "MOD", "MOD"]) {
      counting.reset();
      event.oneshotRead();
      event.oneshotRead();
      assertEquals(engine.commit(), 1);
      assertEquals(changes(counting), [expected]);
      assertEquals(kernelMask(engine, event.fd), "IN|ONESHOT");
    }
    assertEquals(engine.commit(), 0);
  });

  test(`${trigger}: an accept entry that becomes another kind, and back, is a DEL and an ADD each`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const mode = trigger === "edge" ? "|RDHUP|ET" : "";
    const kinds: [(event: FdEvent) => void, string][] = [
      [(event) => event.enable(), `IN|OUT${mode}`],
      [(event) => event.enableWrite(), `IN|OUT${mode}`],
      [(event) => event.oneshotRead(), "IN|ONESHOT"],
      [(event) => event.oneshotWrite(), "OUT|ONESHOT"],
    ];
    const event = engine.register(files.listener().fd, {});
    event.enableAccept();
    assertEquals(engine.commit(), 1);
    for (const [change, mask] of kinds) {
      counting.reset();
      change(event);
      assertEquals(engine.commit(), 2);
      const inOrder = mask.split("|").sort();
      const found = kernelMask(engine, event.fd);
      assertEquals(found.split("|").sort(), inOrder);
      event.enableAccept();
      assertEquals(engine.commit(), 2);
      assertEquals(changes(counting), ["DEL", "ADD", "DEL", "ADD"]);
      assertEquals(kernelMask(engine, event.fd), "IN|EXCLUSIVE");
    }
    counting.reset();
    event.enableAccept();
    event.enableRead();
    assertEquals(engine.commit(), 0);
    assertEquals(counting.log, []);
  });

  test(`${trigger}: a muted accept entry leaves the kernel at the commit, and comes back when it is enabled`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const mutes: [string, (event: FdEvent) => void][] = [
      ["blocked", (event) => event.blockRead()],
      ["inactive", (event) => event.disableRead()],
    ];
    const event = engine.register(files.listener().fd, {});
    event.enableAccept();
    engine.commit();
    for (const [state, mute] of mutes) {
      counting.reset();
      mute(event);
      assertEquals(event.readState, state);
      assertEquals(engine.commit(), 1);
      assertEquals(epollEntries(engine.fd), []);
      event.enableRead();
      assertEquals(engine.commit(), 1);
      assertEquals(changes(counting), ["DEL", "ADD"]);
      assertEquals(kernelMask(engine, event.fd), "IN|EXCLUSIVE");
      counting.reset();
      mute(event);
      event.enableRead();
      assertEquals(engine.commit(), 0, "muting and unmuting cancel out");
      assertEquals(counting.log, []);
    }
  });

  test(`${trigger}: 1,000 verbs that cancel out make no system call`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const idle = engine.register(files.eventfd(), {});
    const active = engine.register(files.eventfd(), {});
    active.enable();
    engine.commit();
    counting.reset();
    const { changesMade, changesSaved } = engine.metrics;
    for (let round = 0; round < 125; round++) {
      idle.enableRead();
      idle.oneshotWrite();
      idle.enableAccept();
      idle.delete();
      active.disableRead();
      active.disableWrite();
      active.enableWrite();
      active.enableRead();
    }
    assertEquals(counting.log, []);
    assertEquals(engine.commit(), 0);
    assertEquals(counting.log, []);
    assertEquals(engine.metrics.changesMade, changesMade);
    assertEquals(engine.metrics.changesSaved, changesSaved + 1_000);
  });

  test(`${trigger}: blocking and unblocking 1,000 times makes no system call`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const event = engine.register(files.eventfd(), {});
    event.enable();
    engine.commit();
    counting.reset();
    for (let round = 0; round < 500; round++) {
      event.blockRead();
      event.blockWrite();
      engine.commit();
      event.enableRead();
      event.enableWrite();
      engine.commit();
    }
    assertEquals(counting.log, []);
    assertEquals(engine.metrics.changesSaved, 0, "no change was asked for");
  });

  test(`${trigger}: 1,000 changed descriptors are exactly 1,000 calls, whatever was asked in between`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const events = Array.from(
      { length: 1_000 },
      () => engine.register(files.eventfd(), {}),
    );
    for (const event of events) event.enableRead();
    for (const event of events) event.enableWrite();
    for (const event of events) event.disableRead();
    counting.reset();
    assertEquals(engine.commit(), 1_000);
    assertEquals(counting.count("epoll_ctl", engine.fd), 1_000);
    assertEquals(counting.log.length, 1_000);
    assertEquals(epollEntries(engine.fd).length, 1_000);
    assertEquals(engine.metrics.changesMade, 1_000);
    assertEquals(engine.metrics.changesSaved, 2_000);
    assertEquals(engine.commit(), 0);
  });

  test(`${trigger}: a full array of changes is committed first, in order`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger, changesMax: 4 });
    using _ = engine;
    const events = Array.from(
      { length: 6 },
      () => engine.register(files.eventfd(), {}),
    );
    counting.reset();
    for (const event of events.slice(0, 4)) event.enableRead();
    // The same descriptors need no more room.
    for (const event of events.slice(0, 4)) event.enableWrite();
    assertEquals(counting.log, []);
    events[4].enableRead();
    const first = events.slice(0, 4).map(({ fd }) => `ADD ${fd}`);
    assertEquals(changes(counting, true), first);
    assertEquals(events.map(({ changing }) => changing), [
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
    events[5].enableRead();
    assertEquals(engine.commit(), 2, "the rest");
    assertEquals(changes(counting, true), [
      ...first,
      `ADD ${events[4].fd}`,
      `ADD ${events[5].fd}`,
    ]);
    assertEquals(epollEntries(engine.fd).length, 6);
  });

  test(`${trigger}: close() with the array of changes full commits nobody else`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger, changesMax: 2 });
    using _ = engine;
    const [leaving, ...others] = Array.from(
      { length: 3 },
      () => engine.register(files.handOver(files.eventfd()), {}),
    );
    leaving.enableRead();
    engine.commit();
    for (const event of others) event.enableRead();
    counting.reset();
    leaving.close();
    assertEquals(changes(counting, true), [`DEL ${leaving.fd}`]);
    assertEquals(engine.commit(), 2);
    for (const event of others) event.close();
  });

  test(`${trigger}: with room for one change, one-shots and level's own changes survive the scan`, () => {
    using files = new Files();
    const [engine] = counted({ trigger, changesMax: 1 });
    using _ = engine;
    let called = 0;
    const events = Array.from(
      { length: 8 },
      () => engine.register(files.eventfd(1), { read: () => void called++ }),
    );
    for (const event of events) {
      event.oneshotRead();
      event.enableWrite();
      event.blockWrite();
    }
    engine.turn(0);
    engine.turn(0);
    assertEquals(called, 8);
    assertEquals(
      events.map(({ readState }) => readState),
      events.map(() =>
        // Level: with the write direction disabled too, nothing is left.
        trigger === "edge" ? "disabled" : "inactive"
      ),
    );
    // Once or twice each: it is ready, and the kernel reports it again.
    for (const event of events) event.enableRead();
    engine.turn(0);
    assertGreaterOrEqual(called, 16);
  });

  test(`${trigger}: commit() from a handler takes effect at once, and runs no handler`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger });
    using _ = engine;
    const log: unknown[] = [];
    const second = engine.register(files.eventfd(1), {
      read: () => void log.push("second"),
    });
    const first = engine.register(files.eventfd(1), {
      read: (event) => {
        log.push("first");
        second.enableRead();
        event.delete();
        log.push(engine.commit());
        log.push(epollEntries(engine.fd).map(({ fd }) => fd).join());
      },
    });
    first.enableRead();
    counting.reset();
    assertEquals(engine.turn(0), 1);
    assertEquals(log, ["first", 2, String(second.fd)]);
    assertEquals(engine.turn(0), 1);
    assertEquals(log.at(-1), "second");
    assertEquals(counting.count("epoll_ctl"), 3);
  });

  test(`${trigger}: the counters say what the kernel was asked and what it reported`, () => {
    using files = new Files();
    const [engine, counting] = counted({ trigger, changesMax: 8 });
    using _ = engine;
    const value = new Uint8Array(8);
    const events = Array.from(
      { length: 40 },
      (_, index) =>
        engine.register(files.handOver(files.eventfd(index % 2)), {
          read: (event) => void event.read(value),
          write: (event) => event.disableWrite(),
        }),
    );
    const verbs: ((event: FdEvent) => void)[] = [
      (event) => event.enable(),
      (event) => event.oneshotRead(),
      (event) => event.blockRead(),
      (event) => event.enableRead(),
      (event) => event.enableAccept(),
      (event) => event.disableRead(),
      (event) => event.enableWrite(),
      (event) => event.close(),
    ];
    for (const verb of verbs) {
      for (const event of events) verb(event);
      for (const event of events) {
        if (!event.closed && event.fd % 3 === 0) add(event.fd);
      }
      engine.turn(0);
      engine.poll(0);
      engine.turn(0);
    }
    const { metrics } = engine;
    assertEquals(metrics.changesMade, counting.count("epoll_ctl", engine.fd));
    const waits = counting.named("epoll_wait", engine.fd);
    assertEquals(counting.count("epoll_pwait2"), 0);
    assertEquals(metrics.turns, waits.length);
    assertEquals(
      metrics.events,
      waits.reduce((sum, { result }) => sum + Number(result), 0),
    );
    assertGreater(metrics.events, 40);
    assertEquals(metrics.wakeups, 0);
    assertEquals(metrics.posts, 0);
  });

  test(`${trigger}: changesMade and changesSaved add up to the changes asked for`, () => {
    using files = new Files();
    const [engine] = counted({ trigger });
    using _ = engine;
    const event = engine.register(files.handOver(files.eventfd()), {});
    const made = () => [
      engine.metrics.changesMade,
      engine.metrics.changesSaved,
    ];
    event.enableRead();
    engine.commit();
    assertEquals(made(), [1, 0]);
    event.enableWrite();
    event.disableWrite();
    engine.commit();
    assertEquals(made(), [1, 2]);
    event.enableWrite();
    event.disableRead();
    engine.commit();
    assertEquals(made(), [2, 3]);
    event.close();
    engine.commit();
    assertEquals(made(), [3, 3]);
  });

  test(`${trigger}: staleEvents counts what was dropped, and nothing else`, () => {
    using files = new Files();
    const [engine] = counted({ trigger });
    using _ = engine;
    const events = Array.from(
      { length: 10 },
      () =>
        engine.register(files.handOver(files.eventfd(1)), { read: () => {} }),
    );
    for (const event of events) event.enableRead();
    assertEquals(engine.poll(0), 10);
    // Four handlers that stand in the queue are not to run any more.
    events[0].close();
    events[1].delete();
    events[2].disableRead();
    events[3].disable();
    assertEquals(engine.metrics.staleEvents, 0);
    assertEquals(engine.dispatch(), 6);
    assertEquals(engine.metrics.staleEvents, 4);
    // One that is dropped and queued again runs once, and is not stale.
    add(events[5].fd);
    engine.turn(0);
    const { staleEvents } = engine.metrics;
    events[5].disableRead();
    events[5].enableRead();
    assertEquals(engine.dispatch(), 1);
    assertEquals(engine.metrics.staleEvents, staleEvents);
    for (const event of events) event.close();
  });

  test(`${trigger}: an entry that somebody else put into the engine's set is stale, and told to nobody`, () => {
    using files = new Files();
    const [engine] = counted({ trigger });
    using _ = engine;
    const event = engine.register(files.eventfd(), {});
    event.enableRead();
    engine.commit();
    const stranger = files.eventfd(1);
    const entry = new EpollEvents(1);
    for (const [slot, generation] of [[7, 0], [-1, -1], [0, 1], [0, -1]]) {
      const { staleEvents } = engine.metrics;
      entry.set(0, EPOLLIN, slot, generation);
      check(epoll_ctl(engine.fd, EPOLL_CTL_ADD, stranger, entry.words), "ctl");
      assertEquals(engine.poll(0), 1);
      assertEquals(engine.metrics.staleEvents, staleEvents + 1);
      assertEquals(engine.dispatch(), 0);
      check(epoll_ctl(engine.fd, EPOLL_CTL_DEL, stranger, null), "ctl");
    }
  });

  straceTest(
    `${trigger}: the counters agree with what strace saw of another process`,
    async () => {
      const { calls, stdout } = await trace(
        "tests/support/matrix_child.ts",
        ["epoll_ctl", "?epoll_wait", "epoll_pwait", "?epoll_pwait2"],
        { args: [trigger] },
      );
      const counters = JSON.parse(stdout);
      const own = calls.filter(({ fd }) => fd === counters.fd);
      const controls = own.filter(({ name }) => name === "epoll_ctl");
      const waits = own.filter(({ name }) => name !== "epoll_ctl");
      assertEquals(counters.changesMade + counters.foreign, controls.length);
      assertEquals(counters.turns, waits.length);
      assertEquals(
        counters.events,
        waits.reduce((sum, { result }) => sum + result, 0),
      );
      const failed = controls.filter(({ error }) => error !== "");
      assertEquals(failed.map(({ error }) => error), ["ENOENT", "EBADF"]);
      assertGreater(controls.length, 500);
    },
  );
}
