/** Peers that mean no good: whatever they do, others are served, and memory is bounded. */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import type { Connection, Engine } from "../mod.ts";
import { send } from "../ffi/mod.ts";
import {
  bytesOf,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer, setKernelBuffers } from "./support/net_peer.ts";

const MSG_OOB = 1;
const MANY = 300;
/** Those whose answers fill the kernel's buffers. */
const GREEDY = 50;
/** Turns within which a client is served, whoever else there is. */
const TURNS_MAX = 8;

const echo = (connection: Connection, chunk: Uint8Array) =>
  void connection.write(chunk);

/** Has a message of an honest client answered; returns the turns that it took. */
function serve(engine: Engine, honest: Peer, text = "hello"): number {
  honest.send(text);
  for (let turns = 1;; turns++) {
    engine.turn(0);
    const answer = honest.receiveText();
    if (answer === text) return turns;
    assertEquals(answer, "EAGAIN");
    assertLessOrEqual(turns, 10_000, "it is never served");
  }
}

/** Many clients of a port. */
function crowd(port: number, length = MANY): Peer[] {
  return Array.from({ length }, () => Peer.connect(port));
}

engineTest(
  "many clients that send a byte at a time keep nobody waiting",
  (engine) => {
    let received = 0;
    const { port } = engine.listen({ backlog: 2 * MANY }, {
      data(connection, chunk) {
        if (chunk.length > 1) return echo(connection, chunk);
        // As a server that waits for the end of a line.
        received++;
      },
    });
    const slow = crowd(port);
    using honest = Peer.connect(port);
    settle(engine);
    for (let round = 0; round < 20; round++) {
      for (const peer of slow) peer.send("x");
      assertLessOrEqual(serve(engine, honest), TURNS_MAX);
    }
    settle(engine);
    assertEquals(received, 20 * MANY);
    for (const peer of slow) peer.close();
    settle(engine);
  },
);

engineTest(
  "clients that say nothing are reset when their time is over, and others are not",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      { backlog: 2 * MANY },
      recorder.handlers({
        open: (connection) => connection.timeout(50, "read"),
        data: echo,
      }),
    );
    const silent = crowd(listener.port);
    runUntil(engine, () => recorder.count("error ETIMEDOUT") === MANY);
    settle(engine);
    assertEquals(recorder.count("close"), MANY);
    assertEquals(listener.connections, 0);
    assertEquals(engine.parts.timers.length, 0);
    for (const peer of silent) {
      assertEquals(peer.receive(), "ECONNRESET");
      peer.close();
    }
  },
);

engineTest(
  "a storm of resets, before and after they are accepted, leaves nothing behind",
  (engine) => {
    const recorder = new Recorder();
    const handlers = recorder.handlers({ data: echo });
    const listener = engine.listen({ backlog: 2 * MANY }, handlers);
    using honest = Peer.connect(listener.port);
    settle(engine);
    const events = engine.parts.registry.size;
    for (let round = 0; round < 5; round++) {
      const storm = crowd(listener.port);
      for (const [index, peer] of storm.entries()) {
        if (index % 3 !== 0) peer.send("half a messa");
        if (index % 3 === 1) peer.reset();
      }
      assertLessOrEqual(serve(engine, honest), TURNS_MAX);
      for (const peer of storm) peer.reset();
      settle(engine);
    }
    assertEquals(recorder.count("close"), recorder.count("open") - 1);
    assertEquals(listener.connections, 1);
    assertEquals(engine.parts.registry.size, events);
  },
);

engineTest(
  "a flood of clients that are half closed at once is over at once",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      { backlog: 2 * MANY },
      recorder.handlers({ data: echo }),
    );
    const peers = crowd(listener.port);
    for (const peer of peers) peer.finish();
    settle(engine);
    assertEquals(recorder.count("open"), MANY);
    assertEquals(recorder.count("close"), MANY);
    assertEquals(listener.connections, 0);
    for (const peer of peers) {
      assertEquals(peer.receive(), "end");
      peer.close();
    }
  },
);

engineTest(
  "clients that never read cost bufferMax each, and nobody waits for them",
  (engine) => {
    const bufferMax = 10_000;
    const answer = pattern(1_000_000);
    const connections: Connection[] = [];
    const { port } = engine.listen({ bufferMax, backlog: 2 * MANY }, {
      data(connection, chunk) {
        if (chunk.length !== 1) return echo(connection, chunk);
        connections.push(connection);
        while (connection.write(answer) > 0);
      },
      drain: (connection) => void connection.write(answer),
    });
    const greedy = crowd(port, GREEDY);
    using honest = Peer.connect(port);
    for (const peer of greedy) {
      setKernelBuffers(peer.fd, 4096);
      peer.send("?");
    }
    assertLessOrEqual(serve(engine, honest), TURNS_MAX);
    settle(engine);
    assertEquals(connections.length, GREEDY);
    for (const { bufferedBytes } of connections) {
      assertLessOrEqual(bufferedBytes, bufferMax);
    }
    // They ask for nothing, so that the engine has nothing to do.
    const { events } = engine.metrics;
    engine.turn(20);
    assertEquals(engine.metrics.events, events);
    assertLessOrEqual(serve(engine, honest), TURNS_MAX);
    for (const peer of greedy) peer.reset();
    settle(engine);
  },
);

engineTest(
  "urgent bytes among the others hold up neither their sender nor the rest",
  (engine) => {
    const { port } = engine.listen({}, { data: echo });
    using rude = Peer.connect(port);
    using honest = Peer.connect(port);
    settle(engine);
    let back = "";
    for (let round = 0; round < 50; round++) {
      rude.send(`[${round}]`);
      assertEquals(send(rude.fd, bytesOf("!"), MSG_OOB), 1);
      if (round % 2 === 0) continue;
      assertLessOrEqual(serve(engine, honest), TURNS_MAX);
      settle(engine);
      back += rude.receiveText();
    }
    const sent = Array.from({ length: 50 }, (_, round) => `[${round}]`).join(
      "",
    );
    // The kernel keeps one urgent byte; an earlier one may be among the others.
    assertEquals(back.replaceAll("!", ""), sent);
  },
);

engineTest(
  "a client that floods is read in shares, and its answers wait for it",
  (engine) => {
    let paused = 0;
    let closed = 0;
    const { port } = engine.listen({ bufferMax: 65536 }, {
      data(connection, chunk) {
        if (connection.write(chunk) === chunk.length) return;
        connection.pause();
        paused++;
      },
      close: () => closed++,
    });
    const floods = Array.from({ length: 5 }, () => Peer.connect(port));
    using honest = Peer.connect(port);
    settle(engine);
    // Until the kernel's buffers are full, which grow as they are used.
    for (let round = 0; paused < floods.length; round++) {
      for (const flood of floods) flood.fill();
      assertLessOrEqual(serve(engine, honest), TURNS_MAX);
      assertLessOrEqual(round, 1_000, `${paused} are paused`);
    }
    settle(engine);
    for (const flood of floods) flood.reset();
    settle(engine);
    assertEquals(closed, floods.length, "though nobody reads from them");
  },
);
