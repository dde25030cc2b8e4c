/** Timeouts of connections. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import {
  type Connection,
  type Engine,
  SystemError,
  type TimeoutKind,
} from "../mod.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer, PeerListener } from "./support/net_peer.ts";

const KINDS: TimeoutKind[] = ["idle", "read", "write"];

/** A connection of the engine's and its peer; `told` are the timeouts. */
function open(engine: Engine, handled = false) {
  const told: string[] = [];
  const recorder = new Recorder();
  const handlers = recorder.handlers({
    data: (connection, chunk) => void connection.write(chunk),
  });
  if (handled) handlers.timeout = (_connection, kind) => void told.push(kind);
  const listener = engine.listen({}, handlers);
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  return { recorder, told, peer, connection: recorder.connection };
}

/** Turns the engine for so long. */
function turnFor(engine: Engine, ms: number): void {
  let passed = false;
  using _timer = engine.timer(ms, () => passed = true);
  runUntil(engine, () => passed);
}

/** Writes until the kernel takes no more, and some is buffered. */
function fill(connection: Connection): void {
  while (connection.write(new Uint8Array(100_000)) > 0);
}

for (const kind of ["idle", "read"] as const) {
  engineTest(
    `a peer that says nothing is reset with ETIMEDOUT, ${kind}`,
    (engine) => {
      const { recorder, peer, connection } = open(engine);
      const begin = performance.now();
      connection.timeout(30, kind);
      runUntil(engine, () => recorder.has("close"));
      settle(engine);
      assert(performance.now() - begin >= 30);
      assertEquals(recorder.log, ["open", "error ETIMEDOUT", "close"]);
      assertInstanceOf(recorder.error, SystemError);
      assertEquals(recorder.error.syscall, "recv");
      assertEquals(peer.receiveText(), "ECONNRESET");
      peer.close();
    },
  );
}

engineTest(
  "a peer that does not read is reset with ETIMEDOUT, write",
  (engine) => {
    const { recorder, peer, connection } = open(engine);
    connection.timeout(30, "write");
    fill(connection);
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["open", "error ETIMEDOUT", "close"]);
    assertEquals(recorder.error?.syscall, "send");
    assertEquals(peer.drain().then, "ECONNRESET");
    peer.close();
  },
);

engineTest("a connection that is busy is not timed out", (engine) => {
  const { recorder, peer, connection } = open(engine);
  for (const kind of KINDS) connection.timeout(400, kind);
  for (let round = 0; round < 8; round++) {
    turnFor(engine, 100);
    peer.send("x");
  }
  runUntil(engine, () => recorder.count("data x") === 8);
  assertEquals(recorder.has("close"), false);
  assertEquals(peer.receiveText(), "x".repeat(8));
  peer.close();
});

engineTest(
  "sending alone keeps from being idle, and not from the read timeout",
  (engine) => {
    const { told, peer, connection } = open(engine, true);
    connection.timeout(400, "idle");
    connection.timeout(200, "read");
    for (let round = 0; round < 8; round++) {
      turnFor(engine, 100);
      connection.write(bytesOf("x"));
    }
    runUntil(engine, () => told.length > 1);
    assertEquals(told.includes("idle"), false);
    assertEquals(told.includes("read"), true);
    peer.close();
  },
);

engineTest(
  "with a timeout handler the connection goes on, and the time starts over",
  (engine) => {
    const { recorder, told, peer, connection } = open(engine, true);
    connection.timeout(20);
    runUntil(engine, () => told.length === 3);
    assertEquals(told, ["idle", "idle", "idle"]);
    peer.send("still there");
    runUntil(engine, () => recorder.has("data still there"));
    assertEquals(recorder.has("close"), false);
    connection.timeout(0);
    const count = told.length;
    turnFor(engine, 60);
    assertEquals(told.length, count);
    peer.close();
  },
);

engineTest(
  "a pause is not counted as waiting for something to read",
  (engine) => {
    const { told, peer, connection } = open(engine, true);
    connection.timeout(20, "read");
    connection.pause();
    turnFor(engine, 100);
    assertEquals(told, []);
    connection.resume();
    const begin = performance.now();
    runUntil(engine, () => told.length === 1);
    assert(performance.now() - begin >= 19);
    assertEquals(told, ["read"]);
    peer.close();
  },
);

engineTest("nothing to send is not waiting for room", (engine) => {
  const { told, peer, connection } = open(engine, true);
  connection.timeout(20, "write");
  turnFor(engine, 80);
  assertEquals(told, []);
  fill(connection);
  runUntil(engine, () => told.length === 1);
  runUntil(engine, () => {
    peer.drain();
    return connection.bufferedBytes === 0;
  });
  const count = told.length;
  turnFor(engine, 80);
  assertEquals(told.length, count);
  peer.close();
});

engineTest("after the peer's end only sending is waited for", (engine) => {
  const told: string[] = [];
  const recorder = new Recorder();
  const handlers = recorder.handlers({ end: () => {} });
  handlers.timeout = (_connection, kind) => void told.push(kind);
  const listener = engine.listen({}, handlers);
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  recorder.connection.timeout(20, "read");
  peer.finish();
  runUntil(engine, () => recorder.has("end"));
  turnFor(engine, 80);
  assertEquals(told, []);
});

engineTest(
  "what arrived while the loop was held up is read before the timeout is looked at",
  (engine) => {
    const { recorder, peer, connection } = open(engine);
    connection.timeout(20);
    engine.turn(0);
    peer.send("in time");
    // Longer than the timeout, and no turn meanwhile.
    const until = performance.now() + 60;
    while (performance.now() < until);
    engine.turn(0);
    engine.turn(0);
    assertEquals(recorder.log, ["open", "data in time"]);
    connection.close();
    peer.close();
  },
);

countingTest("timeouts cost no system call", (engine, counting) => {
  const { recorder, peer, connection } = open(engine, true);
  settle(engine);
  counting.reset();
  for (const kind of KINDS) connection.timeout(10, kind);
  for (let round = 0; round < 20; round++) {
    peer.send("m");
    runUntil(engine, () => peer.receiveText() === "m");
    engine.turn(5);
  }
  connection.pause();
  connection.resume();
  turnFor(engine, 50);
  for (const kind of KINDS) connection.timeout(Infinity, kind);
  settle(engine);
  const waits = ["epoll_wait", "epoll_pwait2"];
  const made = counting.log.map(({ name }) => name)
    .filter((name) => !waits.includes(name));
  assertEquals(made.filter((name) => name !== "recv" && name !== "send"), []);
  assertEquals(counting.count("send"), 20);
  assertEquals(counting.count("recv"), 20);
  assertEquals(recorder.has("close"), false);
  peer.close();
});

countingTest(
  "a connection with a timeout that is idle wakes the loop once",
  (engine, counting) => {
    const { told, peer, connection } = open(engine, true);
    settle(engine);
    connection.timeout(200);
    counting.reset();
    const turns = engine.metrics.turns;
    runUntilQuietly(engine, () => told.length === 1);
    assert(
      engine.metrics.turns - turns <= 4,
      `${engine.metrics.turns - turns}`,
    );
    peer.close();
  },
);

/** Turns the engine, waiting as long as it likes. */
function runUntilQuietly(engine: Engine, condition: () => boolean): void {
  while (!condition()) engine.turn(5_000);
}

engineTest("timeout() while connecting counts from open on", (engine) => {
  using server = new PeerListener();
  const recorder = new Recorder();
  const connection = engine.connect({ port: server.port }, recorder.handlers());
  connection.timeout(20);
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, ["open", "error ETIMEDOUT", "close"]);
});

engineTest("detach() and close() end the timeouts", (engine) => {
  const first = open(engine, true);
  first.connection.timeout(10);
  using _detached = new Peer(first.connection.detach());
  const second = open(engine, true);
  second.connection.timeout(10);
  second.connection.close();
  second.connection.timeout(10);
  turnFor(engine, 60);
  assertEquals([first.told, second.told], [[], []]);
  assertEquals(second.recorder.log, ["open", "close"]);
  first.peer.close();
  second.peer.close();
});

engineTest("what is no timeout is refused", (engine) => {
  const { peer, connection } = open(engine);
  for (const wrong of [-1, NaN, "5", null]) {
    assertThrows(
      () => connection.timeout(wrong as number),
      RangeError,
      `${wrong}`,
    );
  }
  assertThrows(
    () => connection.timeout(5, "both" as TimeoutKind),
    TypeError,
    "both",
  );
  peer.close();
});
