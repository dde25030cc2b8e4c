/** Descriptors in messages: each has one owner, whoever closes when. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Engine, type Inbox, type InboxOptions, Outbox } from "../mod.ts";
import {
  check,
  close,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  eventfd,
} from "../ffi/mod.ts";
import {
  LANE_HEADER_BYTES,
  LaneReader,
  LaneWriter,
  MessageBuffer,
} from "../src/lane.ts";
import { withSteps } from "./support/atomic_steps.ts";
import { everyDescriptor, test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { pattern } from "./support/net_engine.ts";
import { until } from "./support/within.ts";

/** Closes a descriptor that must be open. */
function closeOpen(fd: number): number {
  return check(close(fd), "close");
}

function descriptor(): number {
  return check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
}

function isOpen(fd: number): boolean {
  return everyDescriptor().has(fd);
}

/** An inbox that notes what comes, and closes nothing that is not open. */
class Taking implements Disposable {
  readonly engine = new Engine({}, replacing({ close: closeOpen }));
  readonly fds: number[] = [];
  readonly log: string[] = [];
  readonly inbox: Inbox;

  constructor(options: InboxOptions = {}) {
    this.inbox = this.engine.inbox({
      descriptor: (fd, message) => {
        this.fds.push(fd);
        this.log.push(`descriptor ${message}`);
      },
      ...options,
    }, (message) => void this.log.push(`message ${message}`));
  }

  /** Takes what there is. */
  turn(): void {
    this.engine.turn(0);
    this.engine.turn(0);
  }

  [Symbol.dispose](): void {
    this.engine.close();
    for (const fd of this.fds) closeOpen(fd);
  }
}

test("a descriptor wraps at every place of a lane, with its message", () => {
  const capacity = 64;
  const memory = new SharedArrayBuffer(LANE_HEADER_BYTES + capacity);
  const writer = new LaneWriter(memory, 0, capacity);
  const reader = new LaneReader(memory, 0, capacity);
  const buffer = new MessageBuffer(capacity);
  for (const fd of [0, 1, 0x7fffffff]) {
    for (let start = 0; start < capacity; start += 4) {
      for (const length of [0, 1, 4, 30, 56]) {
        const message = pattern(length, start + length);
        assertEquals(writer.write(message, fd), true);
        assertEquals(reader.take(buffer), message);
        assertEquals(reader.descriptor, fd);
      }
      assertEquals(writer.write(pattern(0)), true);
      assertEquals(reader.take(buffer)?.length, 0);
      assertEquals(reader.descriptor, -1);
    }
  }
});

test("give() hands descriptors over in order with other messages", () => {
  using taking = new Taking();
  using outbox = new Outbox(taking.inbox.address);
  const fds = [descriptor(), descriptor()];
  assertEquals(outbox.post(Uint8Array.of(1)), "sent");
  assertEquals(outbox.give(fds[0], Uint8Array.of(2, 3)), "sent");
  assertEquals(outbox.post(Uint8Array.of(4)), "sent");
  assertEquals(outbox.give(fds[1]), "sent");
  taking.turn();
  const log = ["message 1", "descriptor 2,3", "message 4", "descriptor "];
  assertEquals(taking.log, log);
  assertEquals(taking.fds, fds);
  assertEquals(taking.engine.metrics.posts, 4);
});

test("a message as long as the lane has room for a descriptor", () => {
  using taking = new Taking({ laneBytes: 100 });
  using outbox = new Outbox(taking.inbox.address);
  const fd = descriptor();
  assertEquals(outbox.give(fd, new Uint8Array(100)), "sent");
  taking.turn();
  assertEquals(taking.fds, [fd]);
});

test("a descriptor that was not sent is still the caller's", () => {
  using taking = new Taking({ laneBytes: 8 });
  using outbox = new Outbox(taking.inbox.address);
  const [sent, full, closed] = [descriptor(), descriptor(), descriptor()];
  assertEquals(outbox.give(sent, new Uint8Array(8)), "sent");
  assertEquals(outbox.give(full), "full");
  assertEquals(outbox.give(full, new Uint8Array(8)), "full");
  taking.inbox.close();
  assertEquals(outbox.give(closed), "closed");
  assertEquals(isOpen(sent), false);
  closeOpen(full);
  closeOpen(closed);
});

for (const what of ["inbox", "engine"] as const) {
  test(`closing the ${what} closes descriptors that were not delivered`, () => {
    using taking = new Taking({ laneBytes: 200 });
    using outbox = new Outbox(taking.inbox.address);
    using other = new Outbox(taking.inbox.address);
    const fds: number[] = [];
    for (let index = 0; index < 60; index++) {
      const fd = descriptor();
      const from = index % 2 === 0 ? outbox : other;
      from.post(pattern(index % 7));
      if (from.give(fd, pattern(index % 5)) !== "sent") closeOpen(fd);
      else fds.push(fd);
      // Each wraps now and then.
      if (index === 20) taking.turn();
    }
    taking[what].close();
    const open = fds.filter(isOpen);
    assertEquals(open, taking.fds.toSorted((a, b) => a - b));
    assert(open.length < fds.length);
  });
}

test("closing in a handler leaves it its descriptor, and closes the rest", () => {
  using taking = new Taking({
    descriptor(fd, message) {
      taking.fds.push(fd);
      taking.inbox.close();
      taking.log.push(`descriptor ${message}`);
    },
  });
  using outbox = new Outbox(taking.inbox.address);
  const fds = [descriptor(), descriptor(), descriptor()];
  for (const [index, fd] of fds.entries()) {
    assertEquals(outbox.give(fd, Uint8Array.of(index + 1)), "sent");
  }
  taking.turn();
  assertEquals(fds.map(isOpen), [true, false, false]);
  // The message is still whole after the rest was dropped.
  assertEquals(taking.log, ["descriptor 1"]);
});

test("a handler that throws keeps its descriptor, and the next one is delivered", () => {
  using taking = new Taking({
    descriptor(fd) {
      taking.fds.push(fd);
      if (taking.fds.length === 1) throw new Error("on purpose");
    },
  });
  using outbox = new Outbox(taking.inbox.address);
  const fds = [descriptor(), descriptor()];
  for (const fd of fds) outbox.give(fd);
  assertThrows(() => taking.turn(), Error, "on purpose");
  taking.turn();
  assertEquals(taking.fds, fds);
});

test("give() refuses what it can't give, and leaves it to the caller", () => {
  using taking = new Taking({ messageMax: 10 });
  using deaf = new Engine();
  const outbox = new Outbox(taking.inbox.address);
  using other = new Outbox(deaf.inbox({}, () => {}).address);
  const fd = descriptor();
  for (const bad of [-1, 1.5, NaN, 2 ** 31, "7" as unknown as number]) {
    const message = `from 0 to 2147483647, and is ${bad}`;
    assertThrows(() => outbox.give(bad), RangeError, message);
  }
  const text = "x" as unknown as Uint8Array;
  assertThrows(() => outbox.give(fd, text), TypeError, "must be a Uint8Array");
  const long = new Uint8Array(11);
  assertThrows(() => outbox.give(fd, long), RangeError, "(messageMax)");
  assertThrows(() => other.give(fd), Error, "no descriptor handler");
  outbox.close();
  assertThrows(() => outbox.give(fd), Error, "the outbox is closed");
  closeOpen(fd);
  taking.turn();
  assertEquals(taking.log, []);
});

test("an outbox that opens on a sealed lane overwrites nothing", () => {
  const memory = new SharedArrayBuffer(LANE_HEADER_BYTES + 64);
  const reader = new LaneReader(memory, 0, 64);
  new LaneWriter(memory, 0, 64).write(pattern(20), 7);
  const before = new Uint8Array(memory).slice(LANE_HEADER_BYTES);
  let discarded = 0;
  withSteps(() => reader.seal(() => discarded++), () => {});
  assertEquals(discarded, 1);
  const writer = new LaneWriter(memory, 0, 64);
  assertEquals(writer.write(pattern(8), 9), false);
  assertEquals(new Uint8Array(memory).slice(LANE_HEADER_BYTES), before);
});

/** How many steps an operation makes, at the most. */
const STEPS_MAX = 100;

/** Does `run` for each step until one says that there are no more. */
function forEachStep(run: (step: number) => boolean): number {
  for (let step = 0; step < STEPS_MAX; step++) if (!run(step)) return step;
  throw new Error("It never came to an end");
}

test("whoever closes between any two steps of give(), the descriptor has one owner", () => {
  const results: string[] = [];
  for (const result of ["sent", "full"]) {
    forEachStep((stop) => {
      using taking = new Taking({ laneBytes: 8 });
      using outbox = new Outbox(taking.inbox.address);
      const first = descriptor();
      if (result === "full") outbox.give(first, new Uint8Array(8));
      else closeOpen(first);
      const fd = descriptor();
      let met = false;
      const given = withSteps(() => outbox.give(fd), (step) => {
        if (step !== stop) return;
        met = true;
        taking.inbox.close();
      });
      results.push(given);
      if (given !== "sent") closeOpen(fd);
      taking.inbox.close();
      assertEquals([isOpen(first), isOpen(fd)], [false, false], `step ${stop}`);
      return met;
    });
  }
  assertEquals([...new Set(results)].sort(), ["closed", "full", "sent"]);
});

test("whoever gives between any two steps of close(), the descriptor has one owner", () => {
  const results: string[] = [];
  const steps = forEachStep((stop) => {
    using taking = new Taking({ sendersMax: 3 });
    using outbox = new Outbox(taking.inbox.address);
    using other = new Outbox(taking.inbox.address);
    const fds: number[] = [];
    const give = (from: Outbox) => {
      const fd = descriptor();
      fds.push(fd);
      const result = from.give(fd);
      results.push(result);
      if (result !== "sent") closeOpen(fd);
    };
    give(outbox);
    let met = false;
    withSteps(() => taking.inbox.close(), (step) => {
      if (step !== stop) return;
      met = true;
      give(outbox);
      give(other);
      using late = new Outbox(taking.inbox.address);
      give(late);
    });
    assertEquals(fds.filter(isOpen), [], `step ${stop}`);
    return met;
  });
  assert(steps > 6);
  assertEquals([...new Set(results)].sort(), ["closed", "sent"]);
});

test("a sender that dies between any two steps gives the descriptor or keeps it", () => {
  const owners: string[] = [];
  for (const then of ["turn", "close"]) {
    forEachStep((stop) => {
      using taking = new Taking({ sendersMax: 1 });
      const abandoned = new Outbox(taking.inbox.address);
      const fd = descriptor();
      let died = false;
      try {
        withSteps(() => abandoned.give(fd, Uint8Array.of(5)), (step) => {
          if (step !== stop) return;
          died = true;
          throw new Error("dead");
        });
      } catch {
        // It is.
      }
      if (then === "turn") taking.turn();
      taking.inbox.close();
      const delivered = taking.fds.length === 1;
      const isKept = isOpen(fd) && !delivered;
      owners.push(delivered ? "handler" : isKept ? "sender" : "inbox");
      if (delivered) assertEquals(taking.log, ["descriptor 5"]);
      if (isKept) closeOpen(fd);
      abandoned.close();
      return died;
    });
  }
  const all = [...new Set(owners)].sort();
  assertEquals(all, ["handler", "inbox", "sender"]);
});

test("descriptors of workers that give while the inbox closes are all closed once", async () => {
  const worker = new Worker(new URL("workers/giver.ts", import.meta.url), {
    type: "module",
  });
  const results: Record<string, number>[] = [];
  worker.onmessage = ({ data }) => results.push(data);
  const rounds = 200;
  for (let round = 0; round < rounds; round++) {
    using taking = new Taking({ laneBytes: 64, sendersMax: 2 });
    worker.postMessage(taking.inbox.address);
    const enough = round % 23;
    do taking.engine.turn(20); while (taking.fds.length < enough);
    taking.inbox.close();
    await until(() => results.length > round);
    const { sent } = results[round];
    assert(sent >= taking.fds.length, `round ${round}: ${sent} sent`);
  }
  worker.terminate();
  const kept = results.reduce((sum, { closed }) => sum + closed, 0);
  assertEquals(kept, rounds);
});
