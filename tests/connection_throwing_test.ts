/** Handlers of connections that throw: nothing is lost, nothing stays behind. */
import process from "node:process";
import { assertEquals, assertThrows } from "@std/assert";
import { type Connection, Engine } from "../mod.ts";
import {
  bytesOf,
  pattern,
  Recorder,
  runUntil,
  settle,
  throwingTest,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** The error of a handler. */
class Thrown extends Error {
  constructor(readonly handler: string) {
    super(`from ${handler}`);
  }
}

/** A handler that throws. */
function thrower(handler: string): () => void {
  return () => {
    throw new Thrown(handler);
  };
}

/** Where errors came from. */
function sources(errors: unknown[]): string[] {
  return errors.map((error) => error instanceof Thrown ? error.handler : "?");
}

throwingTest("what data throws loses no later data", (engine, errors) => {
  const sent = pattern(100_000);
  let received = 0;
  const recorder = new Recorder();
  // A unix socket holds all of it at once: the kernel reports it once.
  const listener = engine.listen(
    { path: `\0edgewise-${process.pid}-throwing` },
    {
      open: (connection) => recorder.opened.push(connection),
      data(_, chunk) {
        received += chunk.length;
        if (errors.length === 0) throw new Thrown("data");
      },
    },
  );
  using peer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.opened.length === 1);
  peer.send(sent);
  runUntil(engine, () => received > 0);
  settle(engine);
  assertEquals(received, sent.length);
  assertEquals(sources(errors), ["data"]);
});

throwingTest("what data throws loses no end of file", (engine, errors) => {
  const recorder = new Recorder();
  const own = { data: thrower("data") };
  const listener = engine.listen({}, recorder.handlers(own));
  using peer = Peer.connect(listener.port);
  peer.send("x");
  peer.finish();
  runUntil(engine, () => recorder.has("data x"));
  settle(engine);
  assertEquals(recorder.log, ["open", "data x", "close"]);
  assertEquals(sources(errors), ["data"]);
});

throwingTest(
  "an end handler that throws leaves no connection behind",
  (engine, errors) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      {},
      recorder.handlers({
        open: (connection) => connection.end(bytesOf("hello")),
        end: thrower("end"),
      }),
    );
    using peer = Peer.connect(listener.port);
    peer.finish();
    runUntil(engine, () => recorder.has("end"));
    settle(engine);
    assertEquals(recorder.log, ["open", "end", "close"]);
    assertEquals(sources(errors), ["end"]);
  },
);

throwingTest(
  "what open throws leaves the listener and the connections usable",
  (engine, errors) => {
    const recorder = new Recorder();
    const own = { open: thrower("open") };
    const listener = engine.listen({}, recorder.handlers(own));
    using first = Peer.connect(listener.port);
    using second = Peer.connect(listener.port);
    first.send("one");
    second.send("two");
    runUntil(
      engine,
      () => recorder.has("data one") && recorder.has("data two"),
    );
    assertEquals(sources(errors), ["open", "open"]);
  },
);

throwingTest(
  "an end() before open is kept though open throws",
  (engine, errors) => {
    const served = new Recorder();
    const listener = engine.listen({}, served.handlers());
    const recorder = new Recorder();
    const client = engine.connect(
      { port: listener.port },
      recorder.handlers({ open: thrower("open") }),
    );
    client.end();
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    assertEquals(recorder.log, ["open", "close"]);
    assertEquals(served.log, ["open", "close"]);
    assertEquals(sources(errors), ["open"]);
  },
);

throwingTest(
  "what drain throws leaves the connection usable",
  (engine, errors) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      {},
      recorder.handlers({ drain: thrower("drain") }),
    );
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const { connection } = recorder;
    for (let round = 1; round <= 2; round++) {
      connection.write(new Uint8Array(16 * 1024 * 1024));
      runUntil(engine, () => {
        peer.drain();
        return errors.length === round;
      });
    }
    assertEquals(connection.closed, false);
    assertEquals(sources(errors), ["drain", "drain"]);
  },
);

throwingTest(
  "error and close still come once each when both throw",
  (engine, errors) => {
    const recorder = new Recorder();
    const own = { error: thrower("error"), close: thrower("close") };
    const listener = engine.listen({}, recorder.handlers(own));
    const peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    peer.reset();
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["open", "error ECONNRESET", "close"]);
    assertEquals(sources(errors), ["error", "close"]);
    assertEquals(listener.connections, 0);
  },
);

triggerTest(
  "without onError what a handler throws comes out of turn(), and the rest goes on",
  (trigger) => {
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    let failing: Connection | null = null;
    const listener = engine.listen(
      {},
      recorder.handlers({
        data(connection) {
          failing ??= connection;
          if (connection === failing) throw new Thrown("data");
        },
      }),
    );
    using first = Peer.connect(listener.port);
    using second = Peer.connect(listener.port);
    runUntil(engine, () => recorder.opened.length === 2);
    first.send("x");
    second.send("x");
    assertThrows(() => runUntil(engine, () => false), Thrown);
    runUntil(engine, () => recorder.count("data x") === 2);
  },
);

triggerTest(
  "engine.close() calls every close handler though one throws",
  (trigger) => {
    const recorder = new Recorder();
    const engine = new Engine({ trigger });
    const listener = engine.listen(
      {},
      recorder.handlers({ close: thrower("close") }),
    );
    const peers = Array.from({ length: 3 }, () => Peer.connect(listener.port));
    runUntil(engine, () => recorder.opened.length === 3);
    assertThrows(() => engine.close(), Thrown);
    assertEquals(recorder.count("close"), 3);
    for (const peer of peers) peer.close();
  },
);
