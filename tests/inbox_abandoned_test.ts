/** Senders that stop for good between any two steps, on a real engine. */
import { assert, assertEquals } from "@std/assert";
import { Engine, type InboxAddress, Outbox } from "../mod.ts";
import { systemCalls } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/mod.ts";
import { withSteps } from "./support/atomic_steps.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { settle } from "./support/net_engine.ts";

/** How many steps an operation makes, at the most. */
const STEPS_MAX = 100;

/** The system calls of a thread that has ended once its sender has stopped. */
class GoneThread {
  /** No process has so many threads. */
  readonly tid = (1 << 22) - 1;
  readonly calls: SystemCalls = {
    ...systemCalls,
    gettid: () => this.tid,
    open: (_path, flags) =>
      systemCalls.open(`/proc/self/task/${systemCalls.gettid()}/stat`, flags),
  };
}

/** Runs `operation` up to its step `stop`, and no further. Whether it got there. */
function abandon(operation: () => void, stop: number): boolean {
  const abandoned = new Error("abandoned");
  try {
    withSteps(operation, (step) => {
      if (step === stop) throw abandoned;
    });
    return false;
  } catch (error) {
    if (error !== abandoned) throw error;
    return true;
  }
}

/** Does `run` for each step until one says that there are no more. */
function forEachStep(run: (stop: number) => boolean): void {
  let stop = 0;
  while (run(stop)) assert(++stop < STEPS_MAX);
  assert(stop > 0);
}

/** An engine with an inbox of one or two lanes of 24 bytes. */
class Receiving implements Disposable {
  readonly engine = new Engine();
  readonly received: string[] = [];
  notifications = 0;
  readonly address: InboxAddress;

  constructor(sendersMax: number) {
    const inbox = this.engine.inbox({
      sendersMax,
      laneBytes: 16,
      notify: () => void this.notifications++,
    }, (message) => this.received.push(new TextDecoder().decode(message)));
    this.address = inbox.address;
  }

  [Symbol.dispose](): void {
    this.engine.close();
  }
}

/** The duplicate that a sender leaves which stops before it has told of it. */
function closeLeft(before: Map<number, string>): void {
  for (const [fd, target] of openDescriptors()) {
    const isLeft = !before.has(fd) && target.includes("eventfd");
    if (isLeft) systemCalls.close(fd);
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("a post that stops at any step arrives whole or not at all, and others go on", () => {
  const arrived = new Set<string>();
  for (const isAsleep of [true, false]) {
    forEachStep((stop) => {
      using receiving = new Receiving(2);
      using other = new Outbox(receiving.address);
      const sender = new Outbox(receiving.address);
      if (!isAsleep) other.notify();
      const stopped = abandon(() => sender.post(bytes("abandoned")), stop);
      assertEquals(other.post(bytes("other")), "sent");
      receiving.engine.turn(10_000);
      settle(receiving.engine);
      const texts = receiving.received.toSorted();
      arrived.add(String(texts));
      assertEquals(texts.at(-1), "other");
      sender.close();
      return stopped;
    });
  }
  assertEquals([...arrived].sort(), ["abandoned,other", "other"]);
});

test("the lane of a sender that stopped at any step of a post is taken over, with its descriptor", () => {
  const { calls } = new GoneThread();
  forEachStep((stop) => {
    using receiving = new Receiving(1);
    const sender = new Outbox(receiving.address, calls);
    sender.post(bytes("first"));
    const stopped = abandon(() => sender.post(bytes("second")), stop);
    const open = openDescriptors().size;
    using other = new Outbox(receiving.address);
    assertEquals(openDescriptors().size, open);
    while (other.post(bytes("other")) === "full") settle(receiving.engine);
    settle(receiving.engine);
    const { received } = receiving;
    assertEquals(received[0], "first");
    assertEquals(received.at(-1), "other");
    assert(received.length === 2 || received[1] === "second");
    return stopped;
  });
});

test("a lane whose owner stopped at any step of opening or closing can be had again", () => {
  const before = openDescriptors();
  const { calls } = new GoneThread();
  const operations = [
    (address: InboxAddress) => void new Outbox(address, calls),
    (address: InboxAddress) => new Outbox(address, calls).close(),
  ];
  for (const operation of operations) {
    forEachStep((stop) => {
      using receiving = new Receiving(1);
      const stopped = abandon(() => operation(receiving.address), stop);
      using other = new Outbox(receiving.address);
      other.post(bytes("other"));
      receiving.engine.turn(10_000);
      assertEquals(receiving.received, ["other"]);
      return stopped;
    });
  }
  closeLeft(before);
});

test("a notification whose sender stopped at any step comes with the next wake-up", () => {
  forEachStep((stop) => {
    using receiving = new Receiving(2);
    using other = new Outbox(receiving.address);
    const sender = new Outbox(receiving.address);
    const stopped = abandon(() => sender.notify(), stop);
    other.notify();
    receiving.engine.turn(10_000);
    settle(receiving.engine);
    assert(receiving.notifications > 0);
    sender.close();
    return stopped;
  });
});

test("a sender that stopped while its lane was full leaves it as good as new", () => {
  const { calls } = new GoneThread();
  forEachStep((stop) => {
    using receiving = new Receiving(1);
    const sender = new Outbox(receiving.address, calls);
    while (sender.post(bytes("full")) === "sent");
    const stopped = abandon(() => sender.post(bytes("more")), stop);
    using other = new Outbox(receiving.address);
    assertEquals(other.post(bytes("other")), "full");
    settle(receiving.engine);
    assertEquals(other.post(bytes("other")), "sent");
    settle(receiving.engine);
    assertEquals(new Set(receiving.received), new Set(["full", "other"]));
    return stopped;
  });
});
