/** `engine.start()`: beside the runtime's own event loop, and out of its way. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Engine,
  type FdEvent,
  Outbox,
  SystemError,
  type Trigger,
} from "../mod.ts";
import {
  check,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EMFILE,
  eventfd,
  systemCalls,
  write,
} from "../ffi/mod.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { epollEntry } from "./support/fdinfo.ts";
import { fetches } from "./support/fetches.ts";
import { Recorder, triggerTest } from "./support/net_engine.ts";
import { until, within } from "./support/within.ts";

const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);

/** An engine that runs beside the test, its waits counted; disposing closes it. */
class Started implements AsyncDisposable {
  readonly counting: CountingCalls;
  readonly engine: Engine;
  readonly ended: Promise<void>;
  /** Waits on another thread: under way now, and ever. */
  pending = 0;
  waits = 0;

  constructor(trigger: Trigger = "edge") {
    this.counting = new CountingCalls(replacing({
      waitReadable: async (fd, timeoutMs) => {
        assertEquals(++this.pending, 1, "a second wait for one engine");
        this.waits++;
        try {
          await systemCalls.waitReadable(fd, timeoutMs);
        } finally {
          this.pending--;
        }
      },
    }));
    this.engine = new Engine({ trigger }, this.counting.calls);
    this.ended = this.engine.start();
    this.ended.catch(() => {});
  }

  /** Waits until the engine has nothing to do. */
  async idle(): Promise<void> {
    await until(() => this.pending === 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.engine.close();
    await within(this.ended.catch(() => {}), "the end of start()");
    assertEquals(this.pending, 0);
  }
}

function counter(value = 0): number {
  return check(eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
}

/** An event that is always there to be handled; counts in `data`. */
async function flood(engine: Engine): Promise<FdEvent> {
  const event = engine.register(counter(1), {
    read(event) {
      event.data = Number(event.data) + 1;
      // Edge-triggered, what is ready is queued again: the queue is never empty.
      event.enableRead();
    },
  });
  event.data = 0;
  event.enableRead();
  await until(() => event.data !== 0);
  return event;
}

function ticks(count: number): Promise<void> {
  return new Promise((resolve) => {
    const interval = setInterval(() => {
      if (--count > 0) return;
      clearInterval(interval);
      resolve();
    }, 1);
  });
}

triggerTest(
  "start() leaves timers, fetch and Deno.serve their turns at full load",
  async (trigger) => {
    await using started = new Started(trigger);
    using event = await flood(started.engine);
    for (const rest of [() => ticks(20), () => fetches(10), () => ticks(20)]) {
      const before = Number(event.data);
      await within(rest(), "the rest of the thread");
      assert(Number(event.data) > before, "the engine stood still");
    }
    // At most the one before there was anything to do.
    assert(started.waits <= 1, `${started.waits} waits`);
  },
);

test("at full load a fetch takes few rounds of the engine", async () => {
  await using started = new Started();
  using _ = await flood(started.engine);
  const count = 30;
  const { turns } = started.engine.metrics;
  await fetches(count);
  const each = (started.engine.metrics.turns - turns) / count;
  assert(each < 40, `${each} rounds for each fetch`);
});

test("start() goes round between two ticks, and ticks come between two rounds", async () => {
  await using started = new Started();
  using event = await flood(started.engine);
  const seen: number[] = [];
  const interval = setInterval(() => seen.push(Number(event.data)), 1);
  await until(() => seen.length >= 20);
  clearInterval(interval);
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  assert(new Set(seen).size > 10, `handlers run at the ticks: ${seen}`);
});

test("start() does not starve what its handlers' promises do", async () => {
  await using started = new Started();
  using _ = await flood(started.engine);
  const done = Promise.withResolvers<number>();
  started.engine.timer(0, async () => {
    let progress = 0;
    while (progress < 1000) progress += await Promise.resolve(1);
    await fetches(1);
    done.resolve(progress);
  });
  assertEquals(await within(done.promise, "the promises"), 1000);
});

triggerTest(
  "start() makes one wait and no turn while nothing happens",
  async (trigger) => {
    await using started = new Started(trigger);
    const { engine } = started;
    engine.listen({ port: 0 }, {});
    await started.idle();
    const { turns } = engine.metrics;
    const { waits } = started;
    started.counting.reset();
    await ticks(30);
    await fetches(5);
    assertEquals(engine.metrics.turns, turns);
    assertEquals(started.waits, waits);
    assertEquals(started.counting.log, []);
  },
);

test("start() waits for the nearest timer, once", async () => {
  await using started = new Started();
  const { engine } = started;
  await started.idle();
  const fired: string[] = [];
  engine.timer(20, () => fired.push("20"));
  engine.timer(10, () => fired.push("10"));
  engine.timer(10, () => fired.push("10 again"));
  await until(() => fired.length === 3);
  await started.idle();
  assertEquals(fired, ["10", "10 again", "20"]);
  // Before the first timer, up to the two of 10 ms, up to the other, after it.
  assert(started.waits <= 4, `${started.waits} waits`);
});

test("a timer set outside a turn ends a longer wait, and one that is later does not", async () => {
  await using started = new Started();
  const { engine, counting } = started;
  await started.idle();
  counting.reset();
  let fired = false;
  const timer = engine.timer(60_000, () => {});
  await started.idle();
  await until(() => started.waits === 2);
  // One eventfd write for the engine's first timer.
  assertEquals(counting.count("write"), 1);
  engine.timer(90_000, () => {});
  timer.reset(80_000);
  await ticks(3);
  assertEquals(counting.count("write"), 1);
  assertEquals(started.waits, 2);
  engine.timer(0, () => fired = true);
  await until(() => fired);
});

test("a verb outside a turn reaches the kernel before the thread yields", async () => {
  await using started = new Started();
  const { engine, counting } = started;
  await started.idle();
  let reads = 0;
  using event = engine.register(counter(), {
    read: (event) => void (reads++, event.read(new Uint8Array(8))),
  });
  counting.reset();
  event.enable();
  event.disableWrite();
  event.enableRead();
  assertEquals(epollEntry(engine.fd, event.fd), undefined);
  await null;
  assert(epollEntry(engine.fd, event.fd) !== undefined);
  // Several verbs make one change; the wait under way sees it by itself.
  assertEquals(counting.count("epoll_ctl"), 1);
  assertEquals(counting.count("write"), 0);
  assertEquals(started.pending, 1);
  write(event.fd, ONE);
  await until(() => reads === 1);
});

test("a verb between two turns reaches the kernel before the thread yields", async () => {
  await using started = new Started();
  const { engine } = started;
  using _ = await flood(engine);
  using event = engine.register(counter(), { read() {} });
  await ticks(1);
  event.enableRead();
  await null;
  assert(epollEntry(engine.fd, event.fd) !== undefined);
  event.delete();
  await null;
  assertEquals(epollEntry(engine.fd, event.fd), undefined);
});

test("a verb used in a handler's promise callback takes effect", async () => {
  await using started = new Started();
  const { engine } = started;
  const fired = Promise.withResolvers<void>();
  engine.timer(0, () => {
    Promise.resolve().then(() => engine.timer(1, fired.resolve));
  });
  await within(fired.promise, "the timer");
});

test("queued work that a verb outside a turn brings ends the wait", async () => {
  await using started = new Started();
  const { engine } = started;
  let reads = 0;
  using event = engine.register(counter(1), { read: () => void reads++ });
  event.enableRead();
  await until(() => reads === 1);
  await started.idle();
  event.blockRead();
  await null;
  // Still ready: enabling queues the handler, without a change in the kernel.
  event.enableRead();
  await until(() => reads === 2);
});

test("a change that the kernel refuses outside a turn reaches its handler", async () => {
  await using started = new Started();
  await started.idle();
  const failed = Promise.withResolvers<SystemError | null>();
  using file = await Deno.open("deno.json");
  const fd = await fdOf(file, "deno.json");
  const event = started.engine.register(fd, {
    error: (_, error) => failed.resolve(error),
  });
  event.enableRead();
  const error = await within(failed.promise, "the error");
  assertEquals(error?.code, "EPERM");
  event.detach();
});

/** The descriptor of a file that Deno has opened. */
async function fdOf(_file: Deno.FsFile, name: string): Promise<number> {
  for await (const entry of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${entry.name}`)
      .catch(() => "");
    if (target.endsWith(`/${name}`)) return Number(entry.name);
  }
  throw new Error(`${name} is not open`);
}

triggerTest(
  "listening, connecting and writing from promise callbacks works",
  async (trigger) => {
    await using started = new Started(trigger);
    const { engine } = started;
    await started.idle();
    const server = new Recorder();
    const listener = engine.listen(
      { port: 0 },
      server.handlers({ data: (connection, chunk) => connection.write(chunk) }),
    );
    const client = new Recorder();
    const connection = engine.connect(
      { port: listener.port },
      client.handlers({ open: (connection) => connection.write(ONE) }),
    );
    await until(() => client.log.length === 2);
    await started.idle();
    connection.write(new TextEncoder().encode("later"));
    await until(() => client.has("data later"));
    await started.idle();
    connection.close();
    await until(() => client.has("close") && server.has("close"));
  },
);

test("a post and a notification from the engine's own thread are taken", async () => {
  await using started = new Started();
  const { engine } = started;
  const got: string[] = [];
  const inbox = engine.inbox(
    { notify: () => got.push("notify") },
    (message) => got.push(`message ${message}`),
  );
  using outbox = new Outbox(inbox.address);
  await started.idle();
  assertEquals(outbox.post(Uint8Array.of(1)), "sent");
  await until(() => got.length === 1);
  await started.idle();
  outbox.notify();
  await until(() => got.length === 2);
  assertEquals(got, ["message 1", "notify"]);
});

test("several engines run beside each other in one thread", async () => {
  await using one = new Started();
  await using other = new Started();
  const hops: number[] = [];
  const done = Promise.withResolvers<void>();
  const outboxes: Outbox[] = [];
  for (const [index, { engine }] of [other, one].entries()) {
    const inbox = engine.inbox({}, ([hop]) => {
      hops.push(hop);
      if (hop === 20) done.resolve();
      else outboxes[1 - index].post(Uint8Array.of(hop + 1));
    });
    outboxes.push(new Outbox(inbox.address));
  }
  await one.idle();
  await other.idle();
  outboxes[0].post(Uint8Array.of(0));
  await within(done.promise, "the last hop");
  for (const outbox of outboxes) outbox.close();
  assertEquals(hops, Array.from({ length: 21 }, (_, index) => index));
});

test("32 engines wait at a time", async () => {
  const all = Array.from({ length: 32 }, () => new Started());
  await until(() => all.every(({ pending }) => pending === 1));
  for (const { engine } of all) engine.stop();
  await within(Promise.all(all.map(({ ended }) => ended)), "their end");
  for (const { engine } of all) engine.close();
});

test("start() rejects where it can't have an eventfd, and can be tried again", async () => {
  let fail = true;
  const calls = replacing({
    eventfd: (value, flags) =>
      fail ? -EMFILE : systemCalls.eventfd(value, flags),
  });
  using engine = new Engine({}, calls);
  const error = await assertRejects(() => engine.start(), SystemError);
  assertEquals([error.code, error.syscall], ["EMFILE", "eventfd"]);
  fail = false;
  engine.timer(0, () => engine.stop());
  await within(engine.start());
});

test("start() rejects when its wait fails, and can be tried again", async () => {
  let fail = true;
  const calls = replacing({
    waitReadable: (fd, timeoutMs) =>
      fail
        ? Promise.reject(new SystemError("poll", EMFILE))
        : systemCalls.waitReadable(fd, timeoutMs),
  });
  using engine = new Engine({}, calls);
  await assertRejects(() => engine.start(), SystemError, "poll");
  fail = false;
  engine.timer(0, () => engine.stop());
  await within(engine.start());
});

test("an engine runs once at a time", async () => {
  await using started = new Started();
  const { engine } = started;
  const message = "it is running already";
  await assertRejects(() => engine.start(), Error, message);
  assertThrows(() => engine.run(), Error, message);
  // The first one goes on.
  const fired = Promise.withResolvers<void>();
  engine.timer(0, fired.resolve);
  await within(fired.promise);
});

test("start() on a closed engine rejects", async () => {
  const engine = new Engine();
  engine.close();
  const error = await assertRejects(() => engine.start(), SystemError);
  assertEquals(error.code, "EBADF");
});
