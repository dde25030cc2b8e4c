/** Senders that stop for good between any two steps, on a real engine. */
import { assert, assertEquals } from "@std/assert";
import { Engine, type InboxAddress, Outbox } from "../mod.ts";
import { F_DUPFD_CLOEXEC, systemCalls } from "../ffi/mod.ts";
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
  readonly engine: Engine;
  readonly received: string[] = [];
  notifications = 0;
  readonly address: InboxAddress;

  constructor(sendersMax: number, calls: SystemCalls = systemCalls) {
    this.engine = new Engine({}, calls);
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

/** The duplicates of descriptors that are open: what the kernel lists may be the runtime's. */
class Duplicates {
  readonly #open = new Set<number>();

  /** Has the calls tell of them. */
  of(calls: SystemCalls): SystemCalls {
    return {
      ...calls,
      fcntl: (fd, command, argument) => {
        const result = calls.fcntl(fd, command, argument);
        if (command === F_DUPFD_CLOEXEC && result >= 0) this.#open.add(result);
        return result;
      },
      close: (fd) => {
        this.#open.delete(fd);
        return calls.close(fd);
      },
    };
  }

  has(fd: number): boolean {
    return this.#open.has(fd);
  }

  /** Closes those that a sender has left which stopped. How many there were. */
  closeLeft(): number {
    const { size } = this.#open;
    for (const fd of this.#open) systemCalls.close(fd);
    this.#open.clear();
    return size;
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
  const duplicates = new Duplicates();
  const calls = duplicates.of(new GoneThread().calls);
  const operations = [
    (address: InboxAddress) => void new Outbox(address, calls),
    (address: InboxAddress) => new Outbox(address, calls).close(),
  ];
  for (const operation of operations) {
    forEachStep((stop) => {
      using receiving = new Receiving(1, calls);
      const stopped = abandon(() => operation(receiving.address), stop);
      using other = new Outbox(receiving.address, duplicates.of(systemCalls));
      other.post(bytes("other"));
      receiving.engine.turn(10_000);
      assertEquals(receiving.received, ["other"]);
      return stopped;
    });
  }
  duplicates.closeLeft();
});

/** An operation of a sender that is then gone, and at how many of its steps it leaves a descriptor. */
const ENDS: [string, number, (outbox: Outbox) => void][] = [
  ["opening", 1, () => {}],
  ["posting", 1, (outbox) => void outbox.post(bytes("last"))],
  ["closing", 0, (outbox) => outbox.close()],
];

for (const [what, leavingSteps, operation] of ENDS) {
  test(`an inbox that closes takes what a sender left that stopped while ${what}, at all steps but ${leavingSteps}`, () => {
    const duplicates = new Duplicates();
    const calls = duplicates.of(new GoneThread().calls);
    let left = 0;
    forEachStep((stop) => {
      const receiving = new Receiving(1, calls);
      let outbox = what === "opening"
        ? null
        : new Outbox(receiving.address, calls);
      const stopped = abandon(() => {
        outbox ??= new Outbox(receiving.address, calls);
        operation(outbox);
      }, stop);
      receiving.engine.close();
      left += duplicates.closeLeft();
      return stopped;
    });
    assertEquals(left, leavingSteps);
  });
}

test("an outbox closes the descriptor that it writes to while the inbox closes, and no other", () => {
  forEachStep((stop) => {
    const duplicates = new Duplicates();
    const calls = duplicates.of(systemCalls);
    using receiving = new Receiving(1, calls);
    const outbox = new Outbox(receiving.address, {
      ...calls,
      write: (fd, buffer) => {
        assert(duplicates.has(fd));
        return systemCalls.write(fd, buffer);
      },
    });
    let closes = false;
    withSteps(() => outbox.post(bytes("last")), (step) => {
      if (step !== stop) return;
      closes = true;
      receiving.engine.close();
    });
    assertEquals(outbox.post(bytes("more")), closes ? "closed" : "sent");
    // Its own descriptor is closed with the inbox: there is none left to close.
    if (closes) assertEquals(duplicates.closeLeft(), 0);
    outbox.close();
    return closes;
  });
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
