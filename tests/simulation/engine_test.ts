/** The engine on the kernel and on the simulated one: it may not tell which. */
import { assertEquals, assertThrows } from "@std/assert";
import { ECONNREFUSED, ECONNRESET, EPOLLIN, SHUT_WR } from "../../ffi/mod.ts";
import { Engine, type FdEvent, type Trigger } from "../../mod.ts";
import { RawEpoll } from "../conformance/raw_epoll.ts";
import { Recorder } from "../conformance/recorder.ts";
import { bytesOf, Recorder as Callbacks } from "../support/net_engine.ts";
import { Ends } from "./ends.ts";
import { SimulationError } from "./open_file.ts";
import { simulatedWorld, type World, worldTest } from "./world.ts";
import { test } from "../support/descriptors.ts";

const READY = 13;
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const eight = new Uint8Array(8);

/** A test of both triggers on both kernels. */
function engineTest(
  name: string,
  run: (engine: Engine, ends: Ends, world: World) => void,
  options: { eventsMax?: number } = {},
): void {
  for (const trigger of ["edge", "level"] satisfies Trigger[]) {
    worldTest(`${trigger}: ${name}`, (world) => {
      using ends = new Ends(world.calls);
      using engine = new Engine({ ...options, trigger }, world.calls);
      run(engine, ends, world);
    });
  }
}

/** Turns the engine until something holds; a kernel may take its time. */
function turnUntil(engine: Engine, condition: () => boolean): void {
  let late = false;
  const patience = engine.timer(20_000, () => late = true);
  while (!condition()) {
    engine.turn(1);
    if (late) throw new Error(`It never came to ${condition}`);
  }
  patience.cancel();
}

engineTest(
  "a handler that closes another descriptor of its batch is the last to hear of it",
  (engine, ends) => {
    const recorder = new Recorder();
    const events: FdEvent[] = [];
    for (const name of ["first", "second"]) {
      const fd = ends.eventfd(1);
      const event = engine.register(
        fd,
        recorder.handlers(name, {
          read: (event) => {
            for (const other of events) {
              if (other === event) continue;
              ends.disown(other.fd);
              other.close();
            }
          },
        }),
      );
      event.enableRead();
      events.push(event);
    }
    engine.turn(0);
    assertEquals(recorder.take().length, 1);
  },
);

engineTest(
  "a number that is closed and taken again within a batch gets nothing of its former owner",
  (engine, ends, world) => {
    const recorder = new Recorder();
    const victim = engine.register(ends.eventfd(1), recorder.handlers("old"));
    const { fd } = victim;
    let next: FdEvent | null = null;
    const closer = engine.register(ends.eventfd(1), {
      read(event) {
        event.disableRead();
        if (next !== null) return;
        ends.disown(fd);
        victim.close();
        assertEquals(ends.eventfd(), fd);
        next = engine.register(fd, recorder.handlers("new"));
        next.enableRead();
      },
    });
    closer.enableRead();
    victim.enableRead();
    engine.turn(0);
    engine.turn(0);
    assertEquals(recorder.take().filter((call) => call !== "old read"), []);
    world.calls.write(fd, one);
    engine.turn(0);
    assertEquals(recorder.take(), ["new read"]);
  },
);

engineTest(
  "what is muted is told when it is enabled",
  (engine, ends, world) => {
    const recorder = new Recorder();
    const counter = ends.eventfd();
    const event = engine.register(counter, recorder.handlers("counter"));
    event.enableRead();
    engine.commit();
    event.blockRead();
    world.calls.write(counter, one);
    assertEquals(engine.turn(0), 0);
    event.enableRead();
    assertEquals(engine.dispatch(), 1);
    assertEquals(recorder.take(), ["counter read"]);
  },
);

engineTest(
  "a one-shot is told once, and again when it is armed again",
  (engine, ends) => {
    const recorder = new Recorder();
    const counter = ends.eventfd(1);
    const event = engine.register(counter, recorder.handlers("counter"));
    for (let round = 0; round < 3; round++) {
      event.oneshotRead();
      assertEquals(engine.turn(0), 1);
      assertEquals(event.readState, "disabled");
      assertEquals(engine.turn(0), 0);
    }
    assertEquals(recorder.take(), new Array(3).fill("counter read"));
  },
);

engineTest(
  "an engine that takes 3 events a turn drains 13 descriptors by 3, 3, 3, 3 and 1",
  (engine, ends) => {
    for (let index = 0; index < READY; index++) {
      engine.register(ends.eventfd(1), {
        read: (event) => assertEquals(event.read(eight), 8),
      }).enableRead();
    }
    const turns = Array.from({ length: 6 }, () => engine.turn(0));
    assertEquals(turns, [3, 3, 3, 3, 1, 0]);
  },
  { eventsMax: 3 },
);

engineTest(
  "a pipe whose writer is gone is read to its end",
  (engine, ends, world) => {
    const [reader, writer] = ends.pipe();
    const counts: number[] = [];
    const event = engine.register(reader, {
      read(event) {
        let count = 0;
        do counts.push(count = event.read(eight)); while (count > 0);
        event.close();
        ends.disown(reader);
      },
    });
    event.enableRead();
    world.calls.write(writer, one);
    ends.close(writer);
    engine.turn(0);
    assertEquals(counts, [8, 0]);
  },
);

engineTest(
  "timers fire in the order of their deadlines, and never early",
  (engine, _ends, world) => {
    const fired: number[] = [];
    const startMs = world.calls.now();
    for (const delayMs of [30, 0, 10, 20]) {
      engine.timer(delayMs, () => {
        fired.push(delayMs);
        if (world.calls.now() - startMs < delayMs) throw new Error("Early");
      });
    }
    while (fired.length < 4) engine.turn();
    assertEquals(fired, [0, 10, 20, 30]);
  },
);

engineTest(
  "run() waits for a timer and ends by stop()",
  (engine, _ends, world) => {
    const startMs = world.calls.now();
    engine.timer(5, () => engine.stop());
    engine.run();
    assertEquals(world.calls.now() - startMs >= 5, true);
  },
);

engineTest(
  "a connection that is refused has one error and then closes",
  (engine) => {
    const listener = engine.listen({}, {});
    const { port } = listener;
    listener.close();
    const callbacks = new Callbacks();
    const connection = engine.connect({ port }, callbacks.handlers());
    connection.write(bytesOf("lost"));
    turnUntil(engine, () => callbacks.has("close"));
    assertEquals(callbacks.log, ["error ECONNREFUSED", "close"]);
    assertEquals(callbacks.error?.errno, ECONNREFUSED);
  },
);

engineTest(
  "a peer that ends its half is read to the end, and can still be written to",
  (engine, ends, world) => {
    const callbacks = new Callbacks();
    const listener = engine.listen(
      {},
      callbacks.handlers({
        data: () => {},
        end(connection) {
          connection.write(bytesOf("bye"));
          connection.end();
        },
      }),
    );
    const client = ends.socket("tcp");
    world.calls.connect(client, ends.nameOf(listener.fd));
    turnUntil(engine, () => callbacks.has("open"));
    world.calls.write(client, bytesOf("hello"));
    world.calls.shutdown(client, SHUT_WR);
    turnUntil(engine, () => callbacks.has("close"));
    assertEquals(callbacks.log, ["open", "data hello", "end", "close"]);
    const buffer = new Uint8Array(16);
    let count = -1;
    while (count < 0) count = world.calls.recv(client, buffer, 0);
    assertEquals(new TextDecoder().decode(buffer.subarray(0, count)), "bye");
  },
);

engineTest(
  "a client that is gone before it is accepted leaves the listener to the others",
  (engine, ends, world) => {
    const callbacks = new Callbacks();
    const listener = engine.listen({}, callbacks.handlers());
    const name = ends.nameOf(listener.fd);
    const gone = ends.socket("tcp");
    world.calls.connect(gone, name);
    ends.reset(gone);
    const stays = ends.socket("tcp");
    world.calls.connect(stays, name);
    turnUntil(
      engine,
      () => callbacks.count("open") === 2 && callbacks.has("close"),
    );
    assertEquals(callbacks.error?.errno, ECONNRESET);
    assertEquals(listener.connections, 1);
  },
);

engineTest(
  "who ends a connection that the peer has reset is told of the reset",
  (engine, ends, world) => {
    const callbacks = new Callbacks();
    const listener = engine.listen({}, callbacks.handlers());
    const client = ends.socket("tcp");
    world.calls.connect(client, ends.nameOf(listener.fd));
    turnUntil(engine, () => callbacks.has("open"));
    const { connection } = callbacks;
    using watch = new RawEpoll(1, world.calls);
    watch.add(connection.fd, EPOLLIN);
    ends.reset(client);
    assertEquals(watch.wait(20_000).length, 1);
    connection.end();
    turnUntil(engine, () => callbacks.has("close"));
    assertEquals(callbacks.log, ["open", "error ECONNRESET", "close"]);
  },
);

test("the simulated kernel says so when a wait would never end", () => {
  using world = simulatedWorld({ seed: 1 });
  using engine = new Engine({}, world.calls);
  assertThrows(() => engine.turn(), SimulationError, "Deadlock");
});

test("the simulated kernel says so when a call is not simulated", () => {
  using world = simulatedWorld({ seed: 1 });
  using engine = new Engine({}, world.calls);
  assertThrows(() => engine.fileIo(), SimulationError, "io_setup");
});

test("hours pass at once on the simulated kernel", () => {
  using world = simulatedWorld({ seed: 1 });
  using engine = new Engine({}, world.calls);
  const startMs = world.calls.now();
  let ticks = 0;
  engine.timer(60_000, () => void (++ticks === 600 && engine.stop()), {
    repeat: true,
  });
  engine.run();
  assertEquals(world.calls.now() - startMs, 600 * 60_000);
});

test("start() runs on the simulated kernel, beside the runtime's own events", async () => {
  using world = simulatedWorld({ seed: 1 });
  using ends = new Ends(world.calls);
  using engine = new Engine({}, world.calls);
  const told: string[] = [];
  const counter = ends.eventfd();
  engine.register(counter, {
    read(event) {
      event.read(eight);
      told.push("read");
      engine.timer(3_600_000, () => engine.stop());
    },
  }).enableRead();
  const running = engine.start();
  setTimeout(() => world.calls.write(counter, one), 5);
  await running;
  assertEquals(told, ["read"]);
});
