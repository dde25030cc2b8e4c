/** The mailbox: its limits, its address, its lanes' owners; and the sleeper's count. */
import { declareTest } from "./support/runner.ts";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { systemCalls } from "../ffi/mod.ts";
import { type InboxAddress, Mailbox } from "../src/mailbox.ts";
import { currentThread, isThreadGone, threadId } from "../src/proc.ts";
import { LaneDescriptor } from "../src/lane_descriptor.ts";
import { Sleeper, Waker } from "../src/wakeup.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { until } from "./support/within.ts";

function mailbox(sendersMax = 3): Mailbox {
  const limits = { sendersMax, laneBytes: 64, messageMax: 64 };
  return Mailbox.create(limits, systemCalls.gettid());
}

test("create() refuses limits out of their range, and says which", () => {
  const good = { sendersMax: 2, laneBytes: 64, messageMax: 64 };
  for (const name of ["sendersMax", "laneBytes", "messageMax"] as const) {
    for (const bad of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      assertThrows(
        () => Mailbox.create({ ...good, [name]: bad }, 1),
        RangeError,
        `${name} must be an integer`,
      );
    }
  }
  assertThrows(
    () => Mailbox.create({ ...good, messageMax: 65 }, 1),
    RangeError,
    "messageMax is 65, more than the 64 bytes of a lane",
  );
});

test("open() takes an address that structured clone copied", () => {
  const { address } = mailbox(7);
  const opened = Mailbox.open(structuredClone(address));
  assertEquals(opened.lanes, 7);
  assertEquals(opened.messageMax, 64);
  assertEquals(opened.receiver, systemCalls.gettid());
});

test("open() refuses what is no address", () => {
  const { address } = mailbox();
  const part = new SharedArrayBuffer(address.mailbox.byteLength - 4);
  new Uint8Array(part).set(
    new Uint8Array(address.mailbox, 0, part.byteLength),
  );
  const bad: unknown[] = [
    null,
    undefined,
    7,
    "address",
    {},
    { mailbox: null },
    { mailbox: new ArrayBuffer(4096) },
    { mailbox: new SharedArrayBuffer(0) },
    { mailbox: new SharedArrayBuffer(4096) },
    { mailbox: part },
  ];
  for (const each of bad) {
    assertThrows(
      () => Mailbox.open(each as InboxAddress),
      TypeError,
      "not the `address` of an inbox",
    );
  }
});

test("claim() gives free lanes first, then those of threads that are gone", () => {
  const box = mailbox(3);
  const gone: bigint[] = [];
  const isGone = (thread: bigint) => gone.includes(thread);
  assertEquals(box.claim(11n, isGone), 0);
  assertEquals(box.claim(12n, isGone), 1);
  gone.push(11n);
  assertEquals(box.claim(13n, isGone), 2);
  assertEquals(box.claim(14n, isGone), 0);
  assertEquals(box.claim(15n, isGone), -1);
  box.release(1);
  assertEquals(box.claim(15n, isGone), 1);
});

test("a thread is told from another by its id and its start", () => {
  const self = currentThread(systemCalls);
  assertEquals(threadId(self), systemCalls.gettid());
  assertEquals(currentThread(systemCalls), self);
  assertEquals(isThreadGone(systemCalls, self), false);
  // The same id, given to a thread that started later.
  assertEquals(isThreadGone(systemCalls, self - (1n << 22n)), true);
});

test("a worker's thread is gone once it has ended, and not before", async () => {
  const url = new URL("workers/threads.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const thread = await new Promise<bigint>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  assertNotEquals(threadId(thread), systemCalls.gettid());
  assertEquals(isThreadGone(systemCalls, thread), false);
  worker.terminate();
  await until(() => isThreadGone(systemCalls, thread));
});

test("without /proc no thread counts as gone", () => {
  const calls = replacing({ open: () => -13 });
  const self = currentThread(calls);
  assertEquals(threadId(self), systemCalls.gettid());
  assertEquals(isThreadGone(systemCalls, self), false);
  assertEquals(isThreadGone(calls, currentThread(systemCalls)), false);
});

declareTest("sleeps are told apart though their count starts over", () => {
  const word = new Int32Array(new SharedArrayBuffer(4));
  const sleeper = new Sleeper(word, 0x7ffffffd);
  const seen: number[] = [];
  for (let count = 0; count < 4; count++) {
    sleeper.sleep();
    seen.push(word[0]);
  }
  assertEquals(seen, [0x7ffffffe, 0x7fffffff, 1, 2]);
});

declareTest(
  "a sender writes the eventfd once for each sleep, and not while the receiver is awake",
  () => {
    let writes = 0;
    const calls = replacing({ write: () => ++writes && 8 });
    const word = new Int32Array(new SharedArrayBuffer(4));
    const sleeper = new Sleeper(word);
    const descriptors = new Int32Array(new SharedArrayBuffer(4));
    const descriptor = new LaneDescriptor(descriptors, 0);
    descriptor.put(9);
    const waker = new Waker(word, calls, descriptor);
    waker.wake();
    assertEquals(writes, 0);
    for (let sleeps = 1; sleeps < 4; sleeps++) {
      sleeper.sleep();
      for (let posts = 0; posts < 5; posts++) waker.wake();
      assertEquals(writes, sleeps);
      sleeper.wake();
      waker.wake();
      assertEquals(writes, sleeps);
    }
    sleeper.close();
    waker.wake();
    assertEquals(writes, 3);
    assertEquals(waker.isClosed(), true);
  },
);
