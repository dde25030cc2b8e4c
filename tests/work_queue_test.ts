/** The work queues, and what may be done from inside a handler. */
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import { Engine, type FdEvent, SystemError, type Trigger } from "../mod.ts";
import { F_GETFD, fcntl, systemCalls } from "../ffi/mod.ts";
import {
  ACCEPT_QUEUE,
  CLOSE_QUEUE,
  CONNECT_QUEUE,
  FAST,
  READ_QUEUE,
  SHUTDOWN_QUEUE,
  SOCKET_QUEUE,
  type Task,
  TASK_WORK,
  WorkQueue,
  WorkQueues,
  WRITE_QUEUE,
} from "../src/work_queue.ts";
import { add, Files } from "./conformance/files.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { epollEntries } from "./support/fdinfo.ts";
import { generator } from "./support/random.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const QUEUES = {
  FAST,
  ACCEPT_QUEUE,
  READ_QUEUE,
  SOCKET_QUEUE,
  CONNECT_QUEUE,
  WRITE_QUEUE,
  SHUTDOWN_QUEUE,
  CLOSE_QUEUE,
};
const scratch = new Uint8Array(8);

/** A task that is known by its name. */
class Named implements Task {
  readonly source = this;
  constructor(readonly name: string, readonly also: () => void = () => {}) {}
  run(): number {
    this.also();
    return 1;
  }
}

/** Takes all work in order, running it. */
function drain(queues: WorkQueues): string[] {
  const names: string[] = [];
  for (;;) {
    const queue = queues.next();
    if (queue === null) return names;
    assertEquals(queue.kind, TASK_WORK);
    const task = queue.shift() as Named;
    queues.taken();
    names.push(task.name);
    task.run();
  }
}

// The queues themselves.

test("the queues are fast, accept, read, socket, connect, write, shutdown, close", () => {
  const queues = new WorkQueues();
  const names = Object.keys(QUEUES);
  for (const [name, queue] of Object.entries(QUEUES).reverse()) {
    queues.push(queue, new Named(name), TASK_WORK);
  }
  assertEquals(queues.length, names.length);
  assertEquals(drain(queues), names);
  assertEquals(queues.length, 0);
});

test("a queue drains what it held when its turn came, then the fast one, then the cursor goes on", () => {
  const queues = new WorkQueues();
  const push = (queue: number, name: string, also?: () => void) =>
    queues.push(queue, new Named(name, also), TASK_WORK);
  push(READ_QUEUE, "read 1", () => {
    push(FAST, "fast from read 1");
    push(ACCEPT_QUEUE, "accept from read 1");
    push(WRITE_QUEUE, "write from read 1");
    push(READ_QUEUE, "read from read 1");
  });
  push(READ_QUEUE, "read 2", () => push(FAST, "fast from read 2"));
  push(CLOSE_QUEUE, "close 1", () => push(READ_QUEUE, "read from close 1"));
  assertEquals(drain(queues), [
    "read 1",
    "read 2",
    "fast from read 1",
    "fast from read 2",
    "write from read 1",
    "close 1",
    "accept from read 1",
    "read from read 1",
    "read from close 1",
  ]);
});

test("work that queues itself again, in any queue, holds up nobody", () => {
  for (const [name, number] of Object.entries(QUEUES)) {
    const queues = new WorkQueues();
    const greedy: Named = new Named(name, () => {
      queues.push(number, greedy, TASK_WORK);
    });
    queues.push(number, greedy, TASK_WORK);
    const others = Object.values(QUEUES).map((other) => {
      const task = new Named(`other of ${other}`);
      queues.push(other, task, TASK_WORK);
      return task;
    });
    const waiting = new Set<unknown>(others);
    for (let taken = 0; taken < 40; taken++) {
      const queue = queues.next();
      const task = queue?.shift() as Named;
      queues.taken();
      waiting.delete(task);
      task.run();
    }
    assertEquals(waiting.size, 0, name);
  }
});

test("once all is drained, what comes next is taken from the fast queue on, whichever was last", () => {
  const names = Object.keys(QUEUES);
  for (const last of Object.values(QUEUES)) {
    const queues = new WorkQueues();
    queues.push(last, new Named("last"), TASK_WORK);
    assertEquals(drain(queues), ["last"]);
    for (const [name, queue] of Object.entries(QUEUES).reverse()) {
      queues.push(queue, new Named(name), TASK_WORK);
    }
    assertEquals(drain(queues), names, `after queue ${last}`);
  }
});

test("each queue holds far more than it began with, in order", () => {
  const queues = new WorkQueues(2);
  const expected: string[] = [];
  for (const queue of [READ_QUEUE, WRITE_QUEUE]) {
    for (let index = 0; index < 1_000; index++) {
      const name = `${queue} ${index}`;
      queues.push(queue, new Named(name), TASK_WORK);
      expected.push(name);
    }
  }
  assertEquals(queues.length, 2_000);
  assertEquals(drain(queues), expected);
});

test("a queue that grows with its head anywhere keeps its order and its kinds", () => {
  for (let head = 0; head < 8; head++) {
    const queue = new WorkQueue(8);
    for (let index = 0; index < head; index++) {
      queue.push(new Named("before"), 1);
      queue.shift();
    }
    const tasks = Array.from(
      { length: 37 },
      (_, index) => new Named(`${index}`),
    );
    tasks.forEach((task, index) => queue.push(task, 1 << (index % 5)));
    assertEquals(queue.length, 37);
    tasks.forEach((task, index) => {
      assertEquals(queue.kind, 1 << (index % 5));
      assert(queue.shift() === task);
    });
    assertEquals(queue.length, 0);
  }
});

test("work that is pushed while the queues are drained is never lost or doubled", () => {
  const random = generator(11);
  const queues = new WorkQueues(2);
  let made = 0;
  let done = 0;
  const work = (): Named =>
    new Named(String(made++), () => {
      done++;
      while (made < 20_000 && random(5) < 2) {
        queues.push(random(8), work(), TASK_WORK);
      }
    });
  while (made < 20_000) queues.push(random(8), work(), TASK_WORK);
  const names = drain(queues);
  assertEquals(done, made);
  assertEquals(new Set(names).size, made);
  assertEquals(queues.length, 0);
});

// In an engine.

/** Events that are ready to be read, each with a number. */
function readyEvents(
  engine: Engine,
  files: Files,
  count: number,
  read: (index: number, event: FdEvent) => void,
): FdEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const event = engine.register(files.handOver(files.eventfd(1)), {
      read(event) {
        event.read(scratch);
        read(index, event);
      },
    });
    event.enableRead();
    return event;
  });
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: a wait's work runs timers first, then accepts, reads and writes`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const order: string[] = [];
    const stream = engine.register(files.eventfd(1), {
      read: () => void order.push("read"),
      write: () => void order.push("write"),
    });
    const listener = files.listener();
    const accepting = engine.register(listener.fd, {
      read: () => void order.push("accept"),
    });
    files.own(files.client(listener.port));
    for (let round = 0; round < 3; round++) {
      order.length = 0;
      stream.delete();
      accepting.delete();
      engine.commit();
      stream.readReady = stream.writeReady = accepting.readReady = false;
      stream.enable();
      accepting.enableAccept();
      engine.timer(0, () => order.push("timer"));
      engine.poll(0);
      assertEquals(engine.dispatch(), 4);
      assertEquals(order, ["timer", "accept", "read", "write"]);
    }
  });

  test(`${trigger}: dispatch() runs dispatchMax handlers at the most, and keeps the rest in order`, () => {
    using files = new Files();
    using engine = new Engine({ trigger, dispatchMax: 4 });
    const order: number[] = [];
    const events = readyEvents(engine, files, 10, (index) => order.push(index));
    assertEquals(engine.poll(-1), 10);
    assertEquals(engine.dispatch(), 4);
    assertEquals(order.length, 4);
    assertEquals(engine.dispatch(), 4);
    assertEquals(engine.dispatch(), 2);
    assertEquals(engine.dispatch(), 0);
    assertEquals(new Set(order).size, 10);
    // A turn drains, polls without waiting while work is queued, and drains.
    order.length = 0;
    for (const event of events) add(event.fd);
    engine.poll(-1);
    assertEquals(engine.turn(-1), 8);
    assertEquals(engine.turn(0), 2);
    for (const event of events) event.close();
  });

  test(`${trigger}: dropped work does not count as handlers, nor against dispatchMax`, () => {
    using files = new Files();
    using engine = new Engine({ trigger, dispatchMax: 2 });
    const order: number[] = [];
    const events = readyEvents(engine, files, 6, (index) => order.push(index));
    engine.poll(-1);
    for (const event of events.slice(0, 4)) event.delete();
    assertEquals(engine.dispatch(), 2);
    assertEquals(order.toSorted(), [4, 5]);
    for (const event of events) event.close();
  });

  test(`${trigger}: a handler that queues itself again and again does not keep the loop from polling`, () => {
    using files = new Files();
    using engine = new Engine({ trigger, dispatchMax: 16 });
    let spins = 0;
    let seen = 0;
    const busy = engine.register(files.eventfd(1), {
      read(event) {
        spins++;
        // The flag is set, so that this queues the handler at once.
        event.enableRead();
      },
    });
    busy.enableRead();
    engine.turn(0);
    const [late] = readyEvents(engine, files, 1, () => seen++);
    for (let turn = 0; turn < 4 && seen === 0; turn++) engine.turn(-1);
    assertEquals(seen, 1);
    assertLessOrEqual(spins, 6 * 2 * 16);
    late.close();
  });

  test(`${trigger}: poll() does not wait while work is queued, and returns the kernel's events`, () => {
    using files = new Files();
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    let called = 0;
    const [one, two] = readyEvents(engine, files, 2, () => called++);
    assertEquals(engine.poll(-1), 2);
    two.close();
    counting.reset();
    engine.poll(-1);
    engine.poll(60_000);
    assertEquals(
      counting.named("epoll_wait").map(({ args }) => args[3]),
      [0, 0],
    );
    assertEquals(counting.count("epoll_pwait2"), 0);
    assertEquals(called, 0, "poll() runs no handler");
    assertEquals(engine.dispatch(), 1);
    assertEquals(engine.poll(0), 0);
    one.close();
  });

  test(`${trigger}: turn() returns the handlers of both of its halves`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let called = 0;
    const [first] = readyEvents(engine, files, 1, () => called++);
    engine.poll(0);
    const [second] = readyEvents(engine, files, 1, () => called++);
    engine.timer(0, () => called++);
    assertEquals(engine.turn(-1), 3);
    assertEquals(called, 3);
    assertEquals(engine.turn(0), 0);
    first.close();
    second.close();
  });

  test(`${trigger}: a stop before run() ends that run at once, and no other`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let called = 0;
    const [event] = readyEvents(engine, files, 1, () => {
      called++;
      engine.stop();
    });
    engine.stop();
    engine.stop();
    engine.run();
    assertEquals([called, engine.metrics.turns], [0, 0]);
    engine.run();
    assertEquals(called, 1);
    event.close();
  });

  test(`${trigger}: stop() from a handler ends run() without another wait, and loses nothing of the batch`, () => {
    using files = new Files();
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger, dispatchMax: 4 }, counting.calls);
    const order: number[] = [];
    const events = readyEvents(engine, files, 10, (index) => {
      order.push(index);
      if (order.length === 2) engine.stop();
    });
    engine.run();
    assertEquals(order.length, 2, "after the handler that is running");
    const blocked = counting.named("epoll_wait").filter(({ args }) =>
      args[3] !== 0
    );
    assertEquals(blocked.length, 1);
    while (engine.turn(0) > 0);
    assertEquals(order.toSorted(), [...events.keys()]);
    for (const event of events) event.close();
  });

  test(`${trigger}: run() goes on though nothing is registered, until a timer stops it`, () => {
    using engine = new Engine({ trigger });
    let ticks = 0;
    engine.timer(1, () => {
      if (++ticks === 5) engine.stop();
    }, { repeat: true });
    engine.run();
    assertEquals(ticks, 5);
  });

  test(`${trigger}: run() in a handler throws, and the outer one goes on`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const errors: unknown[] = [];
    const [event] = readyEvents(engine, files, 1, () => {
      errors.push(assertThrows(() => engine.run(), Error, "running"));
      engine.timer(0, () => engine.stop());
    });
    engine.run();
    assertEquals(errors.length, 1);
    event.close();
  });

  test(`${trigger}: a stop before start() ends that start at once, and start() can be made again`, async () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let called = 0;
    const [event] = readyEvents(engine, files, 1, () => {
      called++;
      engine.stop();
    });
    engine.stop();
    await engine.start();
    assertEquals(called, 0);
    await engine.start();
    assertEquals(called, 1);
    event.close();
  });

  test(`${trigger}: handlers may register, commit and take events up themselves`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const order: string[] = [];
    const [outer] = readyEvents(engine, files, 1, () => {
      order.push("outer");
      const [inner] = readyEvents(engine, files, 1, () => {
        order.push("inner");
        inner.close();
      });
      assertEquals(engine.commit(), 1);
      assertEquals(engine.turn(0), 1);
      order.push("outer ends");
    });
    assertEquals(engine.turn(0), 1);
    assertEquals(order, ["outer", "inner", "outer ends"]);
    assertEquals(engine.turn(0), 0);
    outer.close();
  });

  test(`${trigger}: a handler may close its own event, in either half and in the error handler`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const order: string[] = [];
    const both = engine.register(files.handOver(files.eventfd(1)), {
      read(event) {
        order.push("read");
        event.close();
      },
      write: () => void order.push("write"),
    });
    both.enable();
    const failing = engine.register(files.handOver(files.open("deno.json")), {
      error(event) {
        order.push("error");
        event.close();
      },
    });
    failing.enable();
    engine.turn(0);
    engine.turn(0);
    assertEquals(order.toSorted(), ["error", "read"]);
    assertEquals(epollEntries(engine.fd), []);
  });

  test(`${trigger}: a handler that closes all the others of its batch is the only one called`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let called = 0;
    const events: FdEvent[] = readyEvents(engine, files, 50, (_, event) => {
      called++;
      for (const other of events) if (other !== event) other.close();
    });
    engine.turn(0);
    engine.turn(0);
    assertEquals(called, 1);
    assertEquals(epollEntries(engine.fd).length, 1);
    assertEquals(engine.metrics.staleEvents, 49);
    for (const event of events) event.close();
  });

  test(`${trigger}: closing the engine in a handler calls nobody any more, and ends turn() and run()`, () => {
    using files = new Files();
    for (const drive of ["turn", "run"] as const) {
      const engine = new Engine({ trigger });
      let called = 0;
      const events = readyEvents(engine, files, 20, () => {
        called++;
        engine.close();
        assertThrows(() => engine.commit(), SystemError);
      });
      engine.timer(0, () => called += 100).cancel();
      engine.timer(1e6, () => called += 100);
      engine[drive]();
      assertEquals(called, 1);
      assert(fcntl(engine.fd, F_GETFD) < 0);
      for (const { fd } of events) files.own(fd);
    }
  });

  test(`${trigger}: closing the engine in the first half of a turn ends the turn`, () => {
    using files = new Files();
    const engine = new Engine({ trigger });
    const [event] = readyEvents(engine, files, 1, () => engine.close());
    files.own(event.fd);
    engine.poll(0);
    assertEquals(engine.turn(-1), 1);
    assert(fcntl(engine.fd, F_GETFD) < 0);
  });

  test(`${trigger}: closing the engine in onError, or in an error handler, is safe`, () => {
    using files = new Files();
    const inOnError: Engine = new Engine({
      trigger,
      onError: () => inOnError.close(),
    });
    const bad = files.open("deno.json");
    inOnError.register(bad, {}).enable();
    inOnError.turn(-1);
    const inHandler = new Engine({ trigger });
    inHandler.register(bad, { error: () => inHandler.close() }).enable();
    inHandler.run();
    assert(fcntl(bad, F_GETFD) >= 0);
  });
}
