/** Counters of a process that lives long, near where they end: by injection. */
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Engine, Outbox } from "../mod.ts";
import { EFD_NONBLOCK, eventfd, systemCalls } from "../ffi/mod.ts";
import {
  LANE_HEADER_BYTES,
  LaneReader,
  LaneWriter,
  MessageBuffer,
} from "../src/lane.ts";
import { Mailbox } from "../src/mailbox.ts";
import { Receiver } from "../src/receiver.ts";
import { Waker } from "../src/wakeup.ts";
import { test } from "./support/descriptors.ts";
import { VirtualClock } from "./support/matrix_clock.ts";
import { engineTest, Recorder, runUntil } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { replacing } from "./support/faulty_calls.ts";

/** Where clocks of fewer bits than a number has would start over, and numbers get coarse. */
const CLOCKS_MS = [2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53];

for (const clockMs of CLOCKS_MS) {
  test(`timers keep their order and are never early when the clock passes ${clockMs} ms`, () => {
    const clock = new VirtualClock(clockMs - 50);
    using engine = new Engine({}, clock.calls);
    const fired: number[] = [];
    const delaysMs = [80, 20, 50, 49, 51, 0];
    for (const delayMs of delaysMs) {
      const dueMs = clock.nowMs + delayMs;
      engine.timer(delayMs, () => {
        assertGreaterOrEqual(clock.nowMs, dueMs);
        fired.push(delayMs);
      });
    }
    let ticks = 0;
    const repeating = engine.timer(10, () => ticks++, { repeat: true });
    while (fired.length < delaysMs.length) engine.turn(-1);
    assertEquals(fired, delaysMs.toSorted((one, other) => one - other));
    assertEquals(ticks, 8);
    repeating.cancel();
    assertEquals(engine.turn(0), 0);
  });

  test(`timeouts hold when the clock passes ${clockMs} ms`, () => {
    const clock = new VirtualClock(clockMs - 50);
    using engine = new Engine({}, clock.calls);
    const recorder = new Recorder();
    const { port } = engine.listen(
      {},
      recorder.handlers({ open: (connection) => connection.timeout(100) }),
    );
    using _peer = Peer.connect(port);
    while (!recorder.has("open")) engine.turn(0);
    const beganMs = clock.nowMs;
    while (!recorder.has("close")) engine.turn(-1);
    assertEquals(recorder.log, ["open", "error ETIMEDOUT", "close"]);
    assertGreaterOrEqual(clock.nowMs, beganMs + 100);
  });
}

test("a period that a clock of centuries can't tell held up the loop for good", () => {
  const clock = new VirtualClock(2 ** 53);
  using engine = new Engine({}, clock.calls);
  let ticks = 0;
  const timer = engine.timer(0.0001, () => ticks++, { repeat: true });
  while (ticks < 3) engine.turn(-1);
  timer.cancel();
  assertEquals(engine.turn(0), 0);
});

test("positions of the largest lane start over at their end, short of 31 bits", () => {
  const capacity = 0x3ffffffc;
  const end = 2 * capacity;
  assert(end <= 0x7fffffff);
  // Of a gibibyte only the pages that are used are there.
  const memory = new SharedArrayBuffer(LANE_HEADER_BYTES + capacity);
  const header = new Int32Array(memory, 0, LANE_HEADER_BYTES / 4);
  const HEAD = 0;
  const TAIL = 32;
  header[HEAD] = end - 64;
  header[TAIL] = end - 64;
  const reader = new LaneReader(memory, 0, capacity);
  const writer = new LaneWriter(memory, 0, capacity);
  const buffer = new MessageBuffer(64);
  for (let number = 0; number < 20; number++) {
    const message = Uint8Array.from({ length: number }, (_, at) => number + at);
    assert(writer.write(message));
    if (number % 2 === 0) continue;
    assertEquals(reader.take(buffer)?.length, number - 1);
    assertEquals(reader.take(buffer)?.slice(), message);
  }
  assert(reader.isEmpty());
  assert(header[TAIL] > 0 && header[TAIL] < 1_000, `${header[TAIL]}`);
});

test("a receiver is woken for each sleep while their count starts over", () => {
  let writes = 0;
  const calls = replacing({ write: () => ++writes && 8 });
  const limits = { sendersMax: 1, laneBytes: 64, messageMax: 64 };
  const mailbox = Mailbox.create(limits, systemCalls.gettid());
  const receiver = new Receiver(mailbox, () => 0);
  receiver.sleeper.sleeps = 0x7ffffffc;
  const descriptor = mailbox.descriptor(0);
  descriptor.put(9);
  const waker = new Waker(mailbox.state, calls, descriptor);
  for (let sleeps = 1; sleeps <= 8; sleeps++) {
    assertEquals(receiver.sleep(), false);
    waker.wake();
    waker.wake();
    assertEquals(writes, sleeps);
    assertEquals(receiver.wake(), false);
  }
  assertEquals(receiver.sleeper.sleeps, 5);
});

engineTest(
  "an engine delivers and serves with counters beyond 32 and up to 53 bits",
  (engine) => {
    const { metrics } = engine.parts;
    for (const count of [2 ** 31 - 1, 2 ** 32 - 1, 2 ** 53 - 1_000]) {
      metrics.turns = count;
      metrics.events = count;
      metrics.changesMade = count;
      metrics.wakeups = count;
      metrics.posts = count;
      const received: number[] = [];
      const inbox = engine.inbox({}, ([number]) => void received.push(number));
      const outbox = new Outbox(inbox.address);
      outbox.post(Uint8Array.of(1));
      runUntil(engine, () => received.length === 1);
      assertEquals(engine.metrics.posts, count + 1);
      assert(engine.metrics.turns > count && engine.metrics.events > count);
      assert(engine.metrics.changesMade > count);
      outbox.close();
      inbox.close();
    }
  },
);

engineTest(
  'with "closeIdle" the one idle longest is known beyond 32 bits of turns',
  (engine) => {
    engine.parts.metrics.turns = 2 ** 32 - 3;
    const turns: number[] = [];
    const recorder = new Recorder();
    const { port } = engine.listen(
      { onExhausted: "closeIdle" },
      recorder.handlers(),
    );
    const peers = Array.from({ length: 6 }, () => {
      const peer = Peer.connect(port);
      const opened = recorder.count("open");
      runUntil(engine, () => recorder.count("open") === opened + 1);
      return peer;
    });
    for (const connection of recorder.opened) {
      turns.push(connection.idleSinceTurn);
    }
    assertEquals(turns, turns.toSorted((one, other) => one - other));
    assert(turns[0] < 2 ** 32 && turns[5] > 2 ** 32, `${turns}`);
    for (const peer of peers) peer.close();
  },
);

test("an eventfd that nobody reads is one event for each write up to its end", () => {
  using engine = new Engine();
  let called = 0;
  const fd = eventfd(0, EFD_NONBLOCK);
  const event = engine.register(fd, { read: () => void called++ });
  event.enableRead();
  engine.turn(0);
  const add = (value: bigint) =>
    systemCalls.write(fd, new Uint8Array(BigUint64Array.of(value).buffer));
  for (const value of [2n ** 32n - 1n, 1n, 2n ** 63n, 1n]) {
    assertEquals(add(value), 8);
    engine.turn(0);
  }
  assertEquals(called, 4);
  assertEquals(add(2n ** 63n), -11);
  const count = new BigUint64Array(1);
  assertEquals(event.read(new Uint8Array(count.buffer)), 8);
  assertEquals(count[0], 2n ** 63n + 2n ** 32n + 1n);
  event.close();
});
