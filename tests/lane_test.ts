/** One lane: records, wrapping, room, what a writer that comes next finds. */
import { declareTest } from "./support/runner.ts";
import { assertEquals } from "@std/assert";
import {
  LANE_HEADER_BYTES,
  LaneReader,
  LaneWriter,
  MessageBuffer,
  recordBytes,
} from "../src/lane.ts";

class TestLane {
  readonly memory: SharedArrayBuffer;
  readonly reader: LaneReader;
  readonly buffer: MessageBuffer;
  writer: LaneWriter;

  constructor(readonly capacity: number) {
    this.memory = new SharedArrayBuffer(LANE_HEADER_BYTES + capacity);
    this.writer = new LaneWriter(this.memory, 0, capacity);
    this.reader = new LaneReader(this.memory, 0, capacity);
    this.buffer = new MessageBuffer(capacity);
  }

  write(...bytes: number[]): boolean {
    return this.writer.write(Uint8Array.from(bytes));
  }

  /** A copy of the next message, or null. */
  take(): Uint8Array | null {
    return this.reader.take(this.buffer)?.slice() ?? null;
  }

  /** Someone else writes from here on, knowing only what is published. */
  replaceWriter(): void {
    this.writer = new LaneWriter(this.memory, 0, this.capacity);
  }
}

/** Bytes that differ from one message to the next and from place to place. */
function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => seed * 31 + index * 7);
}

declareTest("a lane gives messages back whole and in order", () => {
  const lane = new TestLane(64);
  assertEquals(lane.take(), null);
  assertEquals(lane.write(1, 2, 3), true);
  assertEquals(lane.write(), true);
  assertEquals(lane.write(4), true);
  assertEquals(lane.take(), Uint8Array.of(1, 2, 3));
  assertEquals(lane.take(), new Uint8Array(0));
  assertEquals(lane.take(), Uint8Array.of(4));
  assertEquals(lane.take(), null);
});

declareTest(
  "a lane holds as many bytes as it has, and says when it is full",
  () => {
    const lane = new TestLane(16);
    assertEquals(lane.write(1, 2, 3, 4), true);
    assertEquals(lane.write(5, 6, 7, 8), true);
    assertEquals(lane.write(), false);
    assertEquals(lane.take(), Uint8Array.of(1, 2, 3, 4));
    assertEquals(lane.write(1, 2, 3, 4, 5), false);
    assertEquals(lane.write(9), true);
    assertEquals(lane.write(), false);
    assertEquals(lane.take(), Uint8Array.of(5, 6, 7, 8));
    assertEquals(lane.take(), Uint8Array.of(9));
    assertEquals(lane.take(), null);
  },
);

declareTest(
  "a message as long as the lane fits wherever the lane stands",
  () => {
    const lane = new TestLane(24);
    for (let round = 0; round < 20; round++) {
      const message = pattern(20, round);
      assertEquals(lane.writer.write(message), true);
      assertEquals(lane.writer.write(new Uint8Array(0)), false);
      assertEquals(lane.take(), message);
      // Moves the next one on by a word.
      assertEquals(lane.write(), true);
      assertEquals(lane.take(), new Uint8Array(0));
    }
  },
);

declareTest("messages of every length wrap at every place", () => {
  // 1,020 bytes: longer than what is copied by a loop over words.
  const capacity = 1024;
  for (let start = 0; start < capacity; start += 4) {
    const lane = new TestLane(capacity);
    for (let at = 0; at < start; at += 4) {
      lane.write();
      lane.take();
    }
    for (const length of [0, 1, 2, 3, 4, 5, 63, 64, 192, 193, 500, 1020]) {
      const message = pattern(length, start + length);
      assertEquals(lane.writer.write(message), true);
      assertEquals(lane.take(), message);
    }
  }
});

declareTest("positions start over without losing anything", () => {
  const lane = new TestLane(44);
  let written = 0;
  let taken = 0;
  for (let round = 0; round < 10_000; round++) {
    while (lane.writer.write(pattern(written % 23, written))) written++;
    const take = 1 + round % 3;
    for (let count = 0; count < take; count++) {
      const message = lane.take();
      if (message === null) break;
      assertEquals(message, pattern(taken % 23, taken));
      taken++;
    }
  }
  assertEquals(written - taken <= 44 / recordBytes(0), true);
});

declareTest(
  "a message may be a view on shared memory, at an odd offset",
  () => {
    const lane = new TestLane(64);
    const shared = new Uint8Array(new SharedArrayBuffer(16), 3, 5);
    shared.set([1, 2, 3, 4, 5]);
    assertEquals(lane.writer.write(shared), true);
    assertEquals(lane.take(), Uint8Array.of(1, 2, 3, 4, 5));
  },
);

declareTest(
  "the reader hands out plain memory, which TextDecoder takes",
  () => {
    const lane = new TestLane(64);
    lane.writer.write(new TextEncoder().encode("grüße"));
    const message = lane.reader.take(lane.buffer);
    assertEquals(message?.buffer instanceof ArrayBuffer, true);
    assertEquals(new TextDecoder().decode(message as Uint8Array), "grüße");
  },
);

declareTest(
  "a handler that transfers its message away harms no later one",
  () => {
    const lane = new TestLane(64);
    for (let round = 0; round < 3; round++) {
      lane.write(1, 2, 3);
      lane.write(4, 5, 6);
      const first = lane.reader.take(lane.buffer) as Uint8Array<ArrayBuffer>;
      structuredClone(first, { transfer: [first.buffer] });
      assertEquals(lane.take(), Uint8Array.of(4, 5, 6));
    }
  },
);

declareTest("a new writer goes on after what the last one published", () => {
  const lane = new TestLane(32);
  for (let round = 0; round < 50; round++) {
    lane.write(round, 1);
    lane.replaceWriter();
    lane.write(round, 2);
    assertEquals(lane.take(), Uint8Array.of(round, 1));
    lane.replaceWriter();
    assertEquals(lane.take(), Uint8Array.of(round, 2));
    assertEquals(lane.take(), null);
  }
});

declareTest("a new writer of a full lane finds it full", () => {
  const lane = new TestLane(16);
  lane.write(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  lane.replaceWriter();
  assertEquals(lane.write(), false);
  lane.take();
  assertEquals(lane.write(), true);
});

declareTest(
  "wait() returns at once when there was room made since prepareToWait()",
  () => {
    const lane = new TestLane(16);
    lane.write(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    lane.writer.prepareToWait();
    lane.take();
    lane.writer.wait(60_000);
    assertEquals(lane.write(), true);
  },
);
