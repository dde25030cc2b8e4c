/** pause() and resume(): nothing is lost, nothing spins, nothing is asked of the kernel. */
import process from "node:process";
import { assertEquals } from "@std/assert";
import type { ConnectionHandlers, Engine } from "../mod.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { epollEntry } from "./support/fdinfo.ts";
import { Peer } from "./support/net_peer.ts";

/** A listener, one peer of it, and the connection between, paused. */
function openPaused(engine: Engine, own: ConnectionHandlers = {}) {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers(own));
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  settle(engine);
  recorder.connection.pause();
  return { recorder, peer, connection: recorder.connection };
}

countingTest(
  "pausing and resuming an idle connection makes no system call",
  (engine, counting) => {
    const { connection, peer } = openPaused(engine);
    counting.reset();
    for (let round = 0; round < 10; round++) {
      connection.resume();
      engine.commit();
      connection.pause();
      engine.commit();
    }
    connection.resume();
    engine.commit();
    assertEquals(counting.log, []);
    peer.close();
  },
);

countingTest(
  "pausing a busy edge-triggered connection makes no system call",
  (engine, counting, trigger) => {
    if (trigger === "level") return;
    const { recorder, connection, peer } = openPaused(engine);
    counting.reset();
    for (let round = 0; round < 10; round++) {
      peer.send(`${round}`);
      settle(engine);
      assertEquals(recorder.has(`data ${round}`), false);
      connection.resume();
      settle(engine);
      assertEquals(recorder.has(`data ${round}`), true);
      connection.pause();
    }
    assertEquals(counting.count("epoll_ctl"), 0);
    assertEquals(counting.count("recv"), 10);
    peer.close();
  },
);

engineTest("nothing that arrives while paused is lost", (engine) => {
  const { recorder, connection, peer } = openPaused(engine);
  for (const part of ["a", "b", "c"]) {
    peer.send(part);
    settle(engine);
  }
  assertEquals(recorder.log, ["open"]);
  connection.resume();
  settle(engine);
  assertEquals(recorder.log, ["open", "data abc"]);
  peer.send("d");
  runUntil(engine, () => recorder.has("data d"));
  peer.close();
});

engineTest(
  "pause() in a data handler stops at once, with more there",
  (engine) => {
    const sent = pattern(180_000);
    const recorder = new Recorder();
    const lengths: number[] = [];
    const path = `\0edgewise-${process.pid}-pause`;
    const listener = engine.listen({ path }, {
      open: (connection) => recorder.opened.push(connection),
      data(connection, chunk) {
        lengths.push(chunk.length);
        connection.pause();
      },
    });
    using peer = Peer.connect(listener.localAddress);
    let offered = 0;
    let received = 0;
    while (received < sent.length) {
      const count = peer.trySend(sent.subarray(offered));
      if (typeof count === "number") offered += count;
      runUntil(engine, () => lengths.length > 0);
      settle(engine);
      assertEquals(lengths.length, 1);
      received += lengths.pop() as number;
      recorder.connection.resume();
    }
    assertEquals(received, sent.length);
  },
);

engineTest(
  "pause() and resume() in the same handler lose nothing",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      {},
      recorder.handlers({
        data(connection) {
          connection.pause();
          connection.resume();
        },
      }),
    );
    using peer = Peer.connect(listener.port);
    for (const part of ["a", "b", "c"]) {
      peer.send(part);
      runUntil(engine, () => recorder.has(`data ${part}`));
    }
  },
);

for (
  const [what, act, told] of [
    ["end", (peer: Peer) => peer.finish(), ["end"]],
    ["RST", (peer: Peer) => peer.reset(), ["error ECONNRESET", "close"]],
  ] as const
) {
  engineTest(
    `the peer's ${what} while paused is seen after resume(), data first`,
    (engine) => {
      const { recorder, connection, peer } = openPaused(engine, {
        end: () => {},
      });
      peer.send("before");
      settle(engine);
      act(peer);
      settle(engine);
      assertEquals(recorder.log, ["open"]);
      connection.resume();
      runUntil(engine, () => recorder.has(told.at(-1) as string));
      settle(engine);
      assertEquals(recorder.log, ["open", "data before", ...told]);
      peer.close();
    },
  );
}

engineTest(
  "pause() before the connection is open holds from the first byte",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, {
      open: (connection) => void connection.write(bytesOf("greeting")),
    });
    const connection = engine.connect(
      { port: listener.port },
      recorder.handlers(),
    );
    connection.pause();
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    assertEquals(recorder.log, ["open"]);
    connection.resume();
    runUntil(engine, () => recorder.has("data greeting"));
  },
);

countingTest(
  "pause() and resume() after the peer's end ask for nothing more",
  (engine, counting) => {
    const { recorder, connection, peer } = openPaused(engine, {
      end: () => {},
    });
    connection.resume();
    peer.finish();
    runUntil(engine, () => recorder.has("end"));
    settle(engine);
    counting.reset();
    for (let round = 0; round < 3; round++) {
      connection.pause();
      settle(engine);
      connection.resume();
      settle(engine);
    }
    const { events } = engine.metrics;
    engine.turn(20);
    assertEquals(engine.metrics.events, events);
    assertEquals([counting.count("recv"), counting.count("epoll_ctl")], [0, 0]);
    assertEquals(recorder.log, ["open", "end"]);
    peer.close();
  },
);

engineTest("writing goes on while paused", (engine) => {
  const { connection, peer } = openPaused(engine);
  const sent = pattern(16_000_000);
  peer.send("unread");
  let offered = 0;
  let received = 0;
  runUntil(engine, () => {
    offered += connection.write(sent.subarray(offered));
    received += peer.drain().bytes;
    return received === sent.length;
  });
  peer.close();
});

countingTest(
  "a paused connection with data, an end or an RST waiting does not keep the loop busy",
  (engine, counting) => {
    for (const act of ["send", "finish", "reset"] as const) {
      const { peer, connection } = openPaused(engine, { end: () => {} });
      if (act === "send") peer.send("unread");
      else peer[act]();
      settle(engine);
      counting.reset();
      // Were the kernel to report it again and again, each turn would end at once.
      const turns = engine.metrics.turns;
      const events = engine.metrics.events;
      engine.turn(20);
      assertEquals(engine.metrics.turns, turns + 1);
      assertEquals(engine.metrics.events, events);
      assertEquals(counting.count("recv"), 0);
      connection.close();
      peer.close();
    }
  },
);

countingTest(
  "a level-triggered connection leaves the kernel while it is paused and busy",
  (engine, _counting, trigger) => {
    if (trigger === "edge") return;
    const { connection, peer } = openPaused(engine);
    const registered = epollEntry(engine.fd, connection.fd) !== undefined;
    peer.send("unread");
    settle(engine);
    const muted = epollEntry(engine.fd, connection.fd) === undefined;
    connection.resume();
    settle(engine);
    const again = epollEntry(engine.fd, connection.fd) !== undefined;
    assertEquals([registered, muted, again], [true, true, true]);
    peer.close();
  },
);
