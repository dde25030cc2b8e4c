/** What level triggering and one-shots promise, by the kernel and through the engine. */
import { assert, assertEquals } from "@std/assert";
import { Engine, type FdEvent, type Trigger } from "../../mod.ts";
import {
  check,
  EAGAIN,
  ECONNRESET,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  read,
  systemCalls,
} from "../../ffi/mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { test } from "../support/descriptors.ts";
import { epollEntry } from "../support/fdinfo.ts";
import type { ByteWriterTask } from "./byte_writer_thread.ts";
import { add, Files, PATIENCE_MS, put, waitFor } from "./files.ts";
import { maskText, RawEpoll } from "./raw_epoll.ts";
import { Recorder } from "./recorder.ts";
import { raiseWord, sharedWords, Thread } from "./thread.ts";
import type { WaiterTask } from "./waiter_thread.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const READY = 13;
const RACES = 10_000;

/** What the kernel has for a descriptor, in words; ERR and HUP are always there. */
function kernelMask(engine: Engine, fd: number): string | undefined {
  const entry = epollEntry(engine.fd, fd);
  return entry && maskText(entry.mask);
}

/** Takes the value of a counter. */
function take(fd: number): number {
  const value = new BigUint64Array(1);
  check(read(fd, new Uint8Array(value.buffer)), "read");
  return Number(value[0]);
}

test("level: the kernel reports what is left of five bytes after three are read, and nothing once they are drained", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const [reader, writer] = files.pipe();
  epoll.add(reader, EPOLLIN);
  put(writer, 5);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  assertEquals(read(reader, new Uint8Array(3)), 3);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  assertEquals(read(reader, new Uint8Array(3)), 2);
  assertEquals(epoll.wait(), []);
});

test("level: a handler that reads three of five bytes is called again, and not once they are drained", () => {
  using files = new Files();
  using engine = new Engine({ trigger: "level" });
  const [reader, writer] = files.pipe();
  const counts: number[] = [];
  engine.register(reader, {
    read: (event) => void counts.push(event.read(new Uint8Array(3))),
  }).enableRead();
  put(writer, 5);
  for (let turn = 0; turn < 4; turn++) engine.turn(0);
  assertEquals(counts, [3, 2]);
});

test("level: a handler that reads nothing is called in every turn", () => {
  using files = new Files();
  using engine = new Engine({ trigger: "level" });
  let calls = 0;
  engine.register(files.eventfd(1), { read: () => void calls++ }).enableRead();
  for (let turn = 0; turn < 10; turn++) assertEquals(engine.turn(0), 1);
  assertEquals(calls, 10);
});

test("level: a direction with data pending that becomes a one-shot is told once more", () => {
  using files = new Files();
  using engine = new Engine({ trigger: "level" });
  const recorder = new Recorder();
  const [reader, writer] = files.pipe();
  const event = engine.register(reader, recorder.handlers("reader"));
  event.enableRead();
  put(writer, 5);
  engine.turn(0);
  engine.turn(0);
  recorder.take();
  event.oneshotRead();
  assertEquals(event.readState, "oneshot");
  assertEquals(engine.turn(0), 1);
  assertEquals(event.readState, "disabled");
  assertEquals(engine.turn(0), 0);
  assertEquals(recorder.take(), ["reader read"]);
  // And back.
  event.enableRead();
  engine.turn(0);
  engine.turn(0);
  assert(recorder.take().length >= 2);
});

test("the kernel serves 13 ready descriptors by threes in turn: none a second time before all had theirs", () => {
  using files = new Files();
  using epoll = new RawEpoll(3);
  const counters = Array.from({ length: READY }, () => files.eventfd(1));
  for (const counter of counters) epoll.add(counter, EPOLLIN);
  const reported: number[] = [];
  while (reported.length < 4 * READY) {
    const reports = epoll.wait();
    assertEquals(reports.length, 3);
    reported.push(...reports.map(([fd]) => fd));
  }
  for (let round = 0; round < 4; round++) {
    const served = reported.slice(round * READY, (round + 1) * READY);
    assertEquals(served.sort((a, b) => a - b), counters);
  }
});

test("the kernel hands out 13 ready descriptors that are drained by 3, 3, 3, 3 and 1", () => {
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    using files = new Files();
    using epoll = new RawEpoll(3);
    for (let index = 0; index < READY; index++) {
      epoll.add(files.eventfd(1), mask);
    }
    const counts = Array.from({ length: 6 }, () => {
      const reports = epoll.wait();
      for (const [fd] of reports) take(fd);
      return reports.length;
    });
    assertEquals(counts, [3, 3, 3, 3, 1, 0]);
  }
});

test("level: an engine that takes 3 events a turn calls each of 13 handlers four times in four rounds", () => {
  using files = new Files();
  using engine = new Engine({ trigger: "level", eventsMax: 3 });
  const called: number[] = [];
  const counters = Array.from({ length: READY }, () => files.eventfd(1));
  for (const counter of counters) {
    engine.register(counter, { read: ({ fd }) => void called.push(fd) })
      .enableRead();
  }
  while (called.length < 4 * READY) assertEquals(engine.turn(0), 3);
  for (let round = 0; round < 4; round++) {
    const served = called.slice(round * READY, (round + 1) * READY);
    assertEquals(served.sort((a, b) => a - b), counters);
  }
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: an engine that takes 3 events a turn drains 13 descriptors by 3, 3, 3, 3 and 1`, () => {
    using files = new Files();
    using engine = new Engine({ trigger, eventsMax: 3 });
    const called = new Set<number>();
    for (let index = 0; index < READY; index++) {
      engine.register(files.eventfd(1), {
        read(event) {
          called.add(event.fd);
          assertEquals(event.read(new Uint8Array(8)), 8);
        },
      }).enableRead();
    }
    const turns = Array.from({ length: 6 }, () => engine.turn(0));
    assertEquals(turns, [3, 3, 3, 3, 1, 0]);
    assertEquals(called.size, READY);
  });

  test(`${trigger}: the kernel wakes a thread that waits at once when a ready descriptor is added, or armed`, async () => {
    const mode = trigger === "edge" ? EPOLLET : 0;
    using files = new Files();
    using epoll = new RawEpoll();
    const added = files.eventfd(1);
    const armed = files.eventfd(1);
    epoll.add(armed, mode);
    for (
      const enable of [
        () => epoll.add(added, EPOLLIN | mode),
        () => epoll.modify(armed, EPOLLIN | mode),
      ]
    ) {
      const counted = sharedWords(1);
      const task: WaiterTask = { epfd: epoll.fd, events: 1, counted };
      const waiter = await Thread.start<number>("./waiter_thread.ts", task);
      waiter.untilWaiting();
      assertEquals(counted[0], 0);
      assertEquals(enable(), 0);
      assertEquals(await waiter.result, 1);
      epoll.remove(added);
    }
  });

  test(`${trigger}: a commit that enables a ready descriptor wakes a thread that waits on the engine's`, async () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const counted = sharedWords(1);
    const task: WaiterTask = { epfd: engine.fd, events: 1, counted };
    const waiter = await Thread.start<number>("./waiter_thread.ts", task);
    waiter.untilWaiting();
    assertEquals(counted[0], 0);
    const event = engine.register(files.eventfd(1), {});
    event.enableRead();
    engine.commit();
    assertEquals(await waiter.result, 1);
  });

  test(`${trigger}: a ready descriptor that is enabled from outside ends the wait of start()`, async () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const told = Promise.withResolvers<void>();
    const event = engine.register(files.eventfd(1), {
      read(event) {
        event.disableRead();
        told.resolve();
      },
    });
    const running = engine.start();
    // The engine's first turns end in a wait on another thread.
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    event.enableRead();
    await told.promise;
    engine.stop();
    await running;
  });
}

test("the kernel reports a one-shot once, and at once when it is armed again", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const [reader, writer] = files.pipe();
  const mask = EPOLLIN | EPOLLONESHOT;
  epoll.add(reader, mask);
  put(writer);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  put(writer);
  assertEquals(epoll.wait(), []);
  assertEquals(epoll.modify(reader, mask), 0);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  assertEquals(epoll.wait(), []);
});

test("the kernel hides hang-up and error of a spent one-shot, and reports them when it is armed again", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const mask = EPOLLIN | EPOLLONESHOT;

  const [reader, writer] = files.pipe();
  epoll.add(reader, mask);
  put(writer);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  files.close(writer);
  assertEquals(epoll.wait(), []);
  epoll.modify(reader, mask);
  assertEquals(epoll.wait(), [[reader, "IN|HUP"]]);

  const [client, server] = files.tcpPair();
  epoll.add(server, mask);
  put(client);
  assertEquals(epoll.wait(PATIENCE_MS), [[server, "IN"]]);
  files.reset(client);
  waitFor(server, EPOLLHUP);
  assertEquals(epoll.wait(), []);
  epoll.modify(server, mask);
  assertEquals(epoll.wait(), [[server, "IN|ERR|HUP"]]);
});

test("the kernel disarms a one-shot that reports a hang-up alone", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const [reader, writer] = files.pipe();
  epoll.add(reader, EPOLLIN | EPOLLONESHOT);
  files.close(writer);
  assertEquals(epoll.wait(), [[reader, "HUP"]]);
  assertEquals(epoll.wait(), []);
});

test("edge: the kernel reports an edge of a one-shot once, whatever comes after, until it is armed again", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const [reader, writer] = files.pipe();
  const mask = EPOLLIN | EPOLLET | EPOLLONESHOT;
  epoll.add(reader, mask);
  put(writer);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  put(writer);
  assertEquals(epoll.wait(), []);
  epoll.modify(reader, mask);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  assertEquals(epoll.wait(), []);
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: a one-shot is told once, is disabled after it, and is told what is pending as soon as it is armed again`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd(1);
    const event = engine.register(counter, recorder.handlers("counter"));
    for (let round = 0; round < 3; round++) {
      event.oneshotRead();
      assertEquals(event.readState, "oneshot");
      assertEquals(engine.commit(), 1);
      assertEquals(engine.turn(0), 1);
      assertEquals([event.readState, event.writeState], [
        "disabled",
        "inactive",
      ]);
      // Nothing is left in the kernel's mask, and nothing is to be changed.
      assertEquals(kernelMask(engine, counter), "ONESHOT");
      assertEquals(event.changing, false);
      add(counter);
      assertEquals(engine.turn(0), 0);
    }
    assertEquals(recorder.take(), new Array(3).fill("counter read"));
  });

  test(`${trigger}: a queued event of a direction that becomes a one-shot is told once, not twice`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const event = engine.register(
      files.eventfd(1),
      recorder.handlers("counter"),
    );
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    event.oneshotRead();
    assertEquals(engine.dispatch(), 0);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: arming a one-shot is always sent to the kernel, once for a batch`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const event = engine.register(files.eventfd(), {});
    for (let round = 0; round < 3; round++) {
      event.oneshotRead();
      event.oneshotRead();
      assertEquals(engine.commit(), 1);
      assertEquals(engine.commit(), 0);
    }
  });

  test(`${trigger}: a one-shot for writing is told once, and again when it is armed again`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [end] = files.unixPair();
    const event = engine.register(end, recorder.handlers("end"));
    for (let round = 0; round < 3; round++) {
      event.oneshotWrite();
      assertEquals(engine.turn(0), 1);
      assertEquals([event.readState, event.writeState], [
        "inactive",
        "disabled",
      ]);
      assertEquals(engine.turn(0), 0);
    }
    assertEquals(recorder.take(), new Array(3).fill("end write"));
  });

  test(`${trigger}: a spent one-shot is told neither of a hang-up nor of an error until it is armed again`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [client, server] = files.tcpPair();
    const results: number[] = [];
    const event = engine.register(
      server,
      recorder.handlers("server", {
        read: (event) => void results.push(event.read(new Uint8Array(8))),
      }),
    );
    event.oneshotRead();
    put(client);
    assertEquals(engine.turn(PATIENCE_MS), 1);
    files.reset(client);
    waitFor(server, EPOLLHUP);
    assertEquals(engine.poll(0), 0);
    assertEquals(engine.turn(0), 0);
    event.oneshotRead();
    assertEquals(engine.turn(0), 1);
    assertEquals(event.readState, "disabled");
    assertEquals(engine.turn(0), 0);
    // IN came with ERR and HUP: the reader finds out.
    assertEquals(recorder.take(), ["server read", "server read"]);
    assertEquals(results, [1, -ECONNRESET]);
  });

  test(`${trigger}: a one-shot that a hang-up alone spends is told of it once`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const [reader, writer] = files.pipe();
    const event = engine.register(reader, recorder.handlers("reader"));
    event.oneshotRead();
    engine.commit();
    files.close(writer);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["reader error null"]);
    assertEquals(event.readState, "inactive");
    assertEquals(engine.turn(0), 0);
    assertEquals(kernelMask(engine, reader), undefined);
  });

  test(`${trigger}: a one-shot that a hang-up alone spends calls the read handler where there is none for errors`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const [reader, writer] = files.pipe();
    const results: number[] = [];
    const event = engine.register(reader, {
      read: (event) => void results.push(event.read(new Uint8Array(8))),
    });
    event.oneshotRead();
    engine.commit();
    files.close(writer);
    assertEquals(engine.turn(0), 1);
    assertEquals(event.readState, "disabled");
    assertEquals(engine.turn(0), 0);
    assertEquals(results, [0]);
    event.oneshotRead();
    assertEquals(engine.turn(0), 1);
    assertEquals(results, [0, 0]);
  });

  for (const verb of ["enable", "enableRead"] as const) {
    test(`${trigger}: what happens while reading is blocked is told when ${verb}() is called`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const counter = files.eventfd();
      const counts: number[] = [];
      const event = engine.register(counter, {
        read: (event) => void counts.push(event.read(new Uint8Array(8))),
      });
      event.enableRead();
      engine.commit();
      event.blockRead();
      add(counter);
      assertEquals(engine.turn(0), 0);
      assertEquals(event.readReady, true);
      assertEquals(engine.turn(0), 0);
      event[verb]();
      assertEquals(engine.dispatch(), 1);
      assertEquals(counts, [8]);
      assertEquals(engine.turn(0), 0);
    });
  }

  for (const verb of ["enable", "enableWrite"] as const) {
    test(`${trigger}: what happens while writing is blocked is told when ${verb}() is called`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const [end] = files.unixPair();
      const event = engine.register(
        end,
        recorder.handlers("end", { write: (event) => event.disableWrite() }),
      );
      event.enable();
      event.blockWrite();
      assertEquals(engine.turn(0), 0);
      assertEquals(event.writeReady, true);
      event[verb]();
      assertEquals(engine.dispatch(), 1);
      assertEquals(recorder.take(), ["end write"]);
      assertEquals(engine.turn(0), 0);
    });
  }

  test(`${trigger}: disabling and enabling before a commit loses nothing that was reported in between`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const recorder = new Recorder();
    const event = engine.register(
      files.eventfd(1),
      recorder.handlers("counter"),
    );
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    kernel.reset();
    event.disableRead();
    event.enableRead();
    assertEquals(engine.dispatch(), 1);
    assertEquals(recorder.take(), ["counter read"]);
    assertEquals(engine.commit(), 0);
    assertEquals(kernel.count("epoll_ctl"), 0);
  });

  test(`${trigger}: disabling and enabling before a commit loses nothing that happened in between`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    const event = engine.register(counter, recorder.handlers("counter"));
    event.enableRead();
    engine.commit();
    event.disableRead();
    add(counter);
    event.enableRead();
    assertEquals(engine.commit(), 0);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: a handler that disables and enables another descriptor of its batch does not silence it`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const events: FdEvent[] = [];
    for (const name of ["first", "second"]) {
      const event: FdEvent = engine.register(
        files.eventfd(1),
        recorder.handlers(name, {
          read(event) {
            event.read(new Uint8Array(8));
            for (const other of events) {
              if (other === event) continue;
              other.disable();
              other.enableRead();
            }
          },
        }),
      );
      event.enableRead();
      events.push(event);
    }
    while (engine.turn(0) > 0);
    const calls = recorder.take();
    assert(calls.includes("first read"), `called: ${calls}`);
    assert(calls.includes("second read"), `called: ${calls}`);
  });

  test(`${trigger}: a one-shot that is blocked and enabled before anything happens is told`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    const event = engine.register(counter, recorder.handlers("counter"));
    event.oneshotRead();
    engine.commit();
    event.blockRead();
    event.enableRead();
    add(counter);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["counter read"]);
    // It is active now, no one-shot any more.
    take(counter);
    event.readReady = false;
    add(counter);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: a one-shot that was spent while it was blocked is told when it is enabled, and goes on being told`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    const event = engine.register(counter, recorder.handlers("counter"));
    event.oneshotRead();
    engine.commit();
    event.blockRead();
    add(counter);
    assertEquals(engine.poll(0), 1);
    assertEquals(engine.dispatch(), 0);
    event.enableRead();
    assertEquals(event.changing, true);
    assert(engine.turn(0) >= 1);
    assert(recorder.take().length >= 1);
    engine.turn(0);
    recorder.take();
    take(counter);
    event.readReady = false;
    assertEquals(engine.turn(0), 0);
    add(counter);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: a one-shot that is armed again while blocked fires once`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    const event = engine.register(counter, recorder.handlers("counter"));
    event.oneshotRead();
    engine.commit();
    event.blockRead();
    add(counter);
    engine.turn(0);
    event.oneshotRead();
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: no byte is lost of a direction that is blocked and enabled while a thread writes, in ${RACES} rounds`, async () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const [reader, writer] = files.pipe();
    const taken = sharedWords(1);
    const buffer = new Uint8Array(8);
    let received = 0;
    const event = engine.register(reader, {
      read(event) {
        const count = event.read(buffer);
        if (count === -EAGAIN) return;
        received += check(count, "read");
        event.blockRead();
        raiseWord(taken, 0, received);
      },
    });
    event.enableRead();
    const task: ByteWriterTask = {
      fd: writer,
      unit: new Uint8Array(1),
      rounds: RACES,
      taken,
    };
    const thread = await Thread.start("./byte_writer_thread.ts", task);
    while (received < RACES) {
      // The byte may arrive before, between or after these.
      engine.turn(0);
      event.enableRead();
      if (engine.dispatch() > 0) continue;
      assert(engine.turn(PATIENCE_MS) > 0, `lost after ${received}`);
    }
    await thread.result;
  });
}

test("level: muting both directions of a descriptor that hangs up does not spin", () => {
  using files = new Files();
  const kernel = new CountingCalls(systemCalls);
  using engine = new Engine({ trigger: "level" }, kernel.calls);
  const recorder = new Recorder();
  const [client, server] = files.tcpPair();
  const event = engine.register(server, recorder.handlers("server"));
  event.enable();
  event.blockRead();
  event.blockWrite();
  engine.commit();
  files.reset(client);
  waitFor(server, EPOLLHUP);
  engine.turn(0);
  engine.turn(0);
  kernel.reset();
  assertEquals(engine.poll(20), 0);
  assertEquals(recorder.take(), []);
  // Enabled again, it is told what it missed.
  event.enableRead();
  assert(engine.turn(0) > 0);
  assert(recorder.take().length > 0);
});

test("level: muting a descriptor whose hang-up the kernel reports whatever is asked does not spin", () => {
  using files = new Files();
  using engine = new Engine({ trigger: "level" });
  const recorder = new Recorder();
  const [reader, writer] = files.pipe();
  const event = engine.register(reader, recorder.handlers("reader"));
  event.enableRead();
  event.blockRead();
  engine.commit();
  files.close(writer);
  assertEquals(engine.turn(0), 0);
  assertEquals(engine.poll(20), 0);
  assertEquals(recorder.take(), []);
  assertEquals(kernelMask(engine, reader), undefined);
  event.enableRead();
  assert(engine.turn(0) > 0);
  assert(recorder.take().length > 0);
});
