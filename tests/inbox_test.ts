/** An inbox and its outboxes on one thread, where each moment can be chosen. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Engine, type InboxOptions, Outbox, SystemError } from "../mod.ts";
import { EMFILE, systemCalls } from "../ffi/mod.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { engineTest, settle } from "./support/net_engine.ts";

/** An inbox that keeps what it gets, as numbers: a message's first byte. */
function collect(engine: Engine, options: InboxOptions = {}) {
  const received: number[] = [];
  const inbox = engine.inbox(options, (message) => received.push(message[0]));
  return { inbox, received };
}

const post = (outbox: Outbox, ...numbers: number[]) =>
  numbers.map((number) => outbox.post(Uint8Array.of(number)));

/** A count that says how often the other threads' descriptor was written. */
function countingOutbox(engine: Engine, options: InboxOptions = {}) {
  const counting = new CountingCalls(systemCalls);
  const { inbox, received } = collect(engine, options);
  const outbox = new Outbox(inbox.address, counting.calls);
  counting.reset();
  return { counting, inbox, received, outbox };
}

engineTest("messages arrive whole and in order", (engine) => {
  const received: Uint8Array[] = [];
  const inbox = engine.inbox({}, (message) => received.push(message.slice()));
  using outbox = new Outbox(inbox.address);
  const messages = [0, 1, 2, 63, 64, 192, 193, 5000, 65536].map((length) =>
    Uint8Array.from({ length }, (_, index) => length + index)
  );
  for (const message of messages) {
    assertEquals(outbox.post(message), "sent");
    settle(engine);
  }
  assertEquals(received, messages);
  assertEquals(engine.metrics.posts, messages.length);
});

engineTest("a post before the wait ends it at once", (engine) => {
  const { inbox, received } = collect(engine);
  using outbox = new Outbox(inbox.address);
  post(outbox, 1);
  engine.turn();
  post(outbox, 2);
  engine.turn();
  assertEquals(received, [1, 2]);
});

engineTest("an idle engine with an inbox makes no events", (engine) => {
  const { inbox } = collect(engine);
  using outbox = new Outbox(inbox.address);
  post(outbox, 1, 2, 3);
  settle(engine);
  const { events } = engine.metrics;
  for (let turn = 0; turn < 20; turn++) engine.turn(0);
  assertEquals(engine.metrics.events, events);
});

engineTest("a burst to a sleeping engine writes the eventfd once", (engine) => {
  const { counting, outbox, received } = countingOutbox(engine);
  for (let burst = 1; burst <= 3; burst++) {
    post(outbox, 1, 2, 3, 4, 5);
    assertEquals(counting.count("write"), burst);
    settle(engine);
    assertEquals(received.length, 5 * burst);
  }
  assertEquals(engine.metrics.wakeups, 3);
  outbox.close();
});

engineTest("posts while the engine is at work write nothing", (engine) => {
  const { counting, inbox, outbox, received } = countingOutbox(engine);
  using first = new Outbox(inbox.address);
  using _timer = engine.timer(0, () => {
    post(outbox, 1, 2);
    outbox.notify();
  });
  post(first, 0);
  engine.turn();
  assertEquals(counting.count("write"), 0);
  settle(engine);
  assertEquals(received, [0, 1, 2]);
  outbox.close();
});

engineTest("each sender writes once at the most for one sleep", (engine) => {
  const { inbox, received } = collect(engine);
  const counting = new CountingCalls(systemCalls);
  const outboxes = [1, 2, 3].map(() =>
    new Outbox(inbox.address, counting.calls)
  );
  counting.reset();
  for (const outbox of outboxes) post(outbox, 1, 2, 3);
  assert(counting.count("write") <= 3);
  settle(engine);
  assertEquals(received.length, 9);
  for (const outbox of outboxes) outbox.close();
});

engineTest("a full lane answers full, and loses nothing", (engine) => {
  const { inbox, received } = collect(engine, { laneBytes: 64, messageMax: 8 });
  using outbox = new Outbox(inbox.address);
  const sent: number[] = [];
  for (let round = 0; round < 50; round++) {
    for (let number = round; post(outbox, number)[0] === "sent"; number++) {
      sent.push(number);
    }
    assertEquals(post(outbox, 99), ["full"]);
    settle(engine);
  }
  assertEquals(received, sent);
});

engineTest("a post with a timeout that finds room does not wait", (engine) => {
  const { inbox, received } = collect(engine);
  using outbox = new Outbox(inbox.address);
  assertEquals(outbox.post(Uint8Array.of(1), { timeoutMs: 0 }), "sent");
  settle(engine);
  assertEquals(received, [1]);
});

engineTest("a wait for room on the receiver's own thread throws", (engine) => {
  const { inbox } = collect(engine);
  using outbox = new Outbox(inbox.address);
  for (const timeoutMs of [1, -1, Infinity]) {
    assertThrows(
      () => outbox.post(Uint8Array.of(1), { timeoutMs }),
      Error,
      "on its own thread",
    );
  }
});

engineTest(
  "bad messages and timeouts are refused, and nothing is sent",
  (engine) => {
    const { inbox, received } = collect(engine, { messageMax: 8 });
    using outbox = new Outbox(inbox.address);
    assertThrows(
      () => outbox.post(new Uint8Array(9)),
      RangeError,
      "a message of 9 bytes: the inbox takes 8 (messageMax)",
    );
    for (const bad of ["text", [1], new ArrayBuffer(4), null, undefined]) {
      assertThrows(
        () => outbox.post(bad as unknown as Uint8Array),
        TypeError,
        "must be a Uint8Array",
      );
    }
    for (const timeoutMs of [NaN, "1" as unknown as number]) {
      assertThrows(
        () => outbox.post(Uint8Array.of(1), { timeoutMs }),
        RangeError,
        `and is ${timeoutMs}`,
      );
    }
    settle(engine);
    assertEquals(received, []);
  },
);

engineTest(
  "notify() runs the handler at least once after the last call",
  (engine) => {
    let notifications = 0;
    const inbox = engine.inbox(
      { notify: () => void notifications++ },
      () => {},
    );
    using outbox = new Outbox(inbox.address);
    outbox.notify();
    outbox.notify();
    outbox.notify();
    settle(engine);
    assertEquals(notifications, 1);
    assertEquals(engine.metrics.wakeups, 1);
    outbox.notify();
    settle(engine);
    assertEquals(notifications, 2);
  },
);

engineTest("notify() from within the handler runs it again", (engine) => {
  let notifications = 0;
  const inbox = engine.inbox({
    notify() {
      if (++notifications < 3) outbox.notify();
    },
  }, () => {});
  using outbox = new Outbox(inbox.address);
  outbox.notify();
  settle(engine);
  assertEquals(notifications, 3);
});

engineTest(
  "notify() to an inbox without a handler only wakes the engine",
  (engine) => {
    const { inbox } = collect(engine);
    using outbox = new Outbox(inbox.address);
    outbox.notify();
    engine.turn();
    const { turns } = engine.metrics;
    settle(engine);
    assertEquals(engine.metrics.turns, turns + 3);
  },
);

engineTest(
  "stop() ends run(), and a stop before run() ends the next one",
  (engine) => {
    const { inbox } = collect(engine);
    using outbox = new Outbox(inbox.address);
    outbox.stop();
    engine.run();
    using _timer = engine.timer(0, () => outbox.stop());
    engine.run();
  },
);

engineTest("a handler that throws loses no other message", (engine) => {
  const received: number[] = [];
  const inbox = engine.inbox({}, ([number]) => {
    received.push(number);
    if (number === 2) throw new Error("on purpose");
  });
  using outbox = new Outbox(inbox.address);
  post(outbox, 1, 2, 3);
  assertThrows(() => settle(engine), Error, "on purpose");
  settle(engine);
  assertEquals(received, [1, 2, 3]);
});

test("what a handler throws comes with its inbox", () => {
  const errors: [unknown, object][] = [];
  using engine = new Engine({
    onError: (error, source) => errors.push([error, source]),
  });
  const inbox = engine.inbox({}, () => {
    throw new Error("on purpose");
  });
  using outbox = new Outbox(inbox.address);
  post(outbox, 1);
  settle(engine);
  assertEquals(errors.length, 1);
  assertEquals((errors[0][0] as Error).message, "on purpose");
  assert(errors[0][1] === inbox);
});

engineTest(
  "a message stays valid while its handler turns the engine",
  (engine) => {
    const received: string[] = [];
    const inbox = engine.inbox({}, (message) => {
      post(outbox, 7);
      engine.turn(0);
      received.push(String(message));
    });
    using outbox = new Outbox(inbox.address);
    post(outbox, 1);
    engine.turn();
    engine.turn();
    assertEquals(received.slice(0, 2), ["1", "7"]);
  },
);

engineTest(
  "messages that the handler posts leave the engine time for others",
  (engine) => {
    let received = 0;
    const inbox = engine.inbox({}, (message) => {
      received++;
      outbox.post(message);
    });
    using outbox = new Outbox(inbox.address);
    post(outbox, 1);
    let fired = 0;
    using _timer = engine.timer(1, () => fired++, { repeat: true });
    while (fired < 5) engine.turn();
    assert(received > 0);
  },
);

engineTest("lanes are served in turn", (engine) => {
  const { inbox, received } = collect(engine);
  using loud = new Outbox(inbox.address);
  using quiet = new Outbox(inbox.address);
  for (let count = 0; count < 5000; count++) post(loud, 1);
  post(quiet, 2);
  engine.turn();
  assert(received.includes(2));
  assert(received.length < 2000);
  settle(engine);
  assertEquals(received.length, 5001);
});

test("an epoll set around the engine's is readable as long as there is work", () => {
  using engine = new Engine();
  const { inbox, received } = collect(engine);
  using outer = new Engine();
  outer.register(engine.fd, { read: () => void engine.turn(0) }).enableRead();
  engine.commit();
  using outbox = new Outbox(inbox.address);
  let posted = 0;
  for (let round = 0; round < 20; round++) {
    for (let count = 0; count < 300 * round; count++) {
      if (post(outbox, 1)[0] === "sent") posted++;
    }
    while (received.length < posted) outer.turn(10_000);
  }
  assertEquals(outer.turn(0), 0);
});

engineTest(
  "wake-ups go on though the eventfd's counter is at its limit",
  (engine) => {
    const { counting, outbox, received, inbox } = countingOutbox(engine);
    using other = new Outbox(inbox.address, {
      ...systemCalls,
      write: (fd) => systemCalls.write(fd, NEARLY_FULL),
    });
    post(other, 1);
    settle(engine);
    post(outbox, 2);
    const attempts = counting.named("write").map(({ result }) => result);
    assertEquals(attempts, [-11, 8]);
    assertEquals(counting.count("read"), 1);
    engine.turn(10_000);
    assertEquals(received, [1, 2]);
    outbox.close();
  },
);

/** 2^64 - 2: the most that an eventfd holds. */
const NEARLY_FULL = new Uint8Array(BigUint64Array.of(2n ** 64n - 2n).buffer);

test("the eventfd is read after so many wake-ups, and no wake-up is lost", () => {
  const counting = new CountingCalls(systemCalls);
  using engine = new Engine({}, counting.calls);
  const { inbox, received } = collect(engine, { wakeupsMax: 3 });
  using outbox = new Outbox(inbox.address);
  counting.reset();
  for (let count = 1; count <= 10; count++) {
    post(outbox, count);
    engine.turn(10_000);
    engine.turn(0);
    assertEquals(received.length, count);
    assertEquals(counting.count("read"), Math.floor(count / 3));
  }
});

engineTest("an inbox that is closed answers closed", (engine) => {
  const { inbox, received } = collect(engine);
  using outbox = new Outbox(inbox.address);
  post(outbox, 1);
  inbox.close();
  inbox.close();
  assertEquals(post(outbox, 2), ["closed"]);
  outbox.notify();
  outbox.stop();
  settle(engine);
  assertEquals(received, []);
  assertEquals(engine.metrics.events, 0);
});

engineTest(
  "an outbox of a closed inbox opens, and answers closed",
  (engine) => {
    const { inbox } = collect(engine);
    inbox.close();
    // The number of the inbox's eventfd is likely to be this one's now.
    const other = collect(engine);
    using outbox = new Outbox(inbox.address);
    assertEquals(post(outbox, 1), ["closed"]);
    outbox.notify();
    assertEquals(engine.turn(0), 0);
    other.inbox.close();
  },
);

engineTest("an inbox can be closed by its handler", (engine) => {
  const received: number[] = [];
  const inbox = engine.inbox({}, ([number]) => {
    received.push(number);
    if (number === 2) inbox.close();
  });
  using outbox = new Outbox(inbox.address);
  post(outbox, 1, 2, 3);
  settle(engine);
  assertEquals(received, [1, 2]);
  assertEquals(post(outbox, 4), ["closed"]);
});

test("closing the engine closes its inboxes", () => {
  const engine = new Engine();
  const { inbox } = collect(engine);
  using outbox = new Outbox(inbox.address);
  engine.close();
  assertEquals(post(outbox, 1), ["closed"]);
  assertThrows(() => engine.inbox({}, () => {}), SystemError, "EBADF");
});

engineTest(
  "an outbox that is closed gives its lane back, and throws",
  (engine) => {
    const { inbox, received } = collect(engine, { sendersMax: 1 });
    for (let round = 0; round < 10; round++) {
      const outbox = new Outbox(inbox.address);
      assertThrows(
        () => new Outbox(inbox.address),
        Error,
        "all 1 lanes of the inbox are taken (sendersMax)",
      );
      post(outbox, round);
      outbox.close();
      outbox.close();
      for (const verb of ["post", "notify", "stop"] as const) {
        assertThrows(
          () => outbox[verb](Uint8Array.of(1)),
          Error,
          `Cannot ${verb}: the outbox is closed`,
        );
      }
    }
    settle(engine);
    assertEquals(received, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },
);

engineTest(
  "an outbox that can't have a descriptor leaves nothing behind",
  (engine) => {
    const { inbox } = collect(engine, { sendersMax: 1 });
    const failing = replacing({ fcntl: () => -EMFILE });
    const error = assertThrows(
      () => new Outbox(inbox.address, failing),
      SystemError,
    );
    assertEquals([error.code, error.syscall], ["EMFILE", "fcntl"]);
    new Outbox(inbox.address).close();
  },
);

test("an engine that can't have an eventfd says so, and goes on", () => {
  using engine = new Engine({}, replacing({ eventfd: () => -EMFILE }));
  const error = assertThrows(() => engine.inbox({}, () => {}), SystemError);
  assertEquals([error.code, error.syscall], ["EMFILE", "eventfd"]);
  assertEquals(engine.turn(0), 0);
});

engineTest("bad options are refused, and leave nothing behind", (engine) => {
  for (
    const bad of [{ sendersMax: 0 }, { laneBytes: 0 }, { messageMax: NaN }]
  ) {
    assertThrows(
      () => engine.inbox(bad, () => {}),
      RangeError,
      "Cannot create",
    );
  }
  assertThrows(
    () => engine.inbox({ laneBytes: 10, messageMax: 11 }, () => {}),
    RangeError,
    "more than the 10 bytes of a lane",
  );
});

test("an inbox that closes while an outbox opens keeps its number's next owner safe", () => {
  using engine = new Engine();
  const { inbox } = collect(engine);
  const written: number[] = [];
  const outbox = new Outbox(inbox.address, {
    ...systemCalls,
    // The inbox closes, and its number is somebody else's, before the duplicate is made.
    fcntl: (fd, command, argument) => {
      inbox.close();
      collect(engine);
      return systemCalls.fcntl(fd, command, argument);
    },
    write: (fd) => written.push(fd),
  });
  assertEquals(post(outbox, 1), ["closed"]);
  outbox.notify();
  outbox.close();
  assertEquals(written, []);
});

engineTest("slow handlers leave the engine time between messages", (engine) => {
  const order: string[] = [];
  const inbox = engine.inbox({}, () => {
    order.push("message");
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
  });
  using first = new Outbox(inbox.address);
  using second = new Outbox(inbox.address);
  for (let count = 0; count < 100; count++) post(first, 1);
  for (let count = 0; count < 100; count++) post(second, 2);
  using _timer = engine.timer(1, () => order.push("timer"), { repeat: true });
  while (order.filter((what) => what === "message").length < 200) engine.turn();
  // A turn takes some messages before it looks at the clock, and ends soon after.
  assert(order.filter((what) => what === "timer").length >= 200 / 40);
});
