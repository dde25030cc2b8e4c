/** Ending one direction of a connection, by either side. */
import { assertEquals, assertGreater } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Connection, Engine } from "../mod.ts";
import {
  bytesOf,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

engineTest(
  "data comes before the end of file that arrived with it",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers({ end: () => {} }));
    using peer = Peer.connect(listener.port);
    peer.send("before");
    peer.finish();
    runUntil(engine, () => recorder.has("end"));
    settle(engine);
    assertEquals(recorder.log, ["open", "data before", "end"]);
  },
);

engineTest(
  "writing goes on after the peer's end, with an end handler",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers({ end: () => {} }));
    using peer = Peer.connect(listener.port);
    peer.finish();
    runUntil(engine, () => recorder.has("end"));
    const { connection } = recorder;
    for (const word of ["still", "here"]) {
      assertEquals(connection.write(bytesOf(word)), word.length);
      settle(engine);
      assertEquals(peer.receiveText(), word);
    }
    assertEquals(connection.closed, false);
    connection.end();
    assertEquals(peer.receiveText(), "end");
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["open", "end", "close"]);
  },
);

engineTest("reading goes on after one's own end()", (engine) => {
  const recorder = new Recorder();
  const listener = engine.listen(
    {},
    recorder.handlers({
      open: (connection) => connection.end(bytesOf("mine")),
    }),
  );
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  assertEquals(peer.receiveText(), "mine");
  assertEquals(peer.receiveText(), "end");
  for (const word of ["one", "two"]) {
    peer.send(word);
    runUntil(engine, () => recorder.has(`data ${word}`));
  }
  peer.finish();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, ["open", "data one", "data two", "close"]);
});

engineTest("end() with a backlog sends all of it, then the end", (engine) => {
  const recorder = new Recorder();
  const sent = pattern(16_000_000);
  const listener = engine.listen(
    {},
    recorder.handlers({
      open: (connection) => connection.end(sent),
    }),
  );
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  assertGreater(recorder.connection.bufferedBytes, 0);
  assertReceives(sent, peer, engine);
  peer.finish();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, ["open", "close"]);
});

engineTest(
  "without an end handler the connection closes once its writes are flushed",
  (engine) => {
    const recorder = new Recorder();
    const sent = pattern(16_000_000);
    const listener = engine.listen(
      { bufferMax: sent.length },
      recorder.handlers({ data: (connection) => void connection.write(sent) }),
    );
    using peer = Peer.connect(listener.port);
    peer.send("go");
    peer.finish();
    runUntil(engine, () => recorder.has("data go"));
    settle(engine);
    assertGreater(recorder.connection.bufferedBytes, 0);
    assertEquals(recorder.has("close"), false);
    assertReceives(sent, peer, engine);
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["open", "data go", "close"]);
  },
);

engineTest(
  "without an end handler and without writes the connection closes at once",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    peer.finish();
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["open", "close"]);
    assertEquals(peer.receiveText(), "end");
  },
);

engineTest(
  "write() while the last writes after the peer's end are flushed returns 0",
  (engine) => {
    const recorder = new Recorder();
    const sent = pattern(16_000_000);
    const listener = engine.listen(
      { bufferMax: sent.length },
      recorder.handlers({ data: (connection) => void connection.write(sent) }),
    );
    using peer = Peer.connect(listener.port);
    peer.send("go");
    peer.finish();
    runUntil(engine, () => recorder.has("data go"));
    settle(engine);
    assertEquals(recorder.connection.write(bytesOf("more")), 0);
    recorder.connection.end();
    assertReceives(sent, peer, engine);
    runUntil(engine, () => recorder.has("close"));
  },
);

engineTest("end() in the end handler closes both sides", (engine) => {
  const recorder = new Recorder();
  const listener = engine.listen(
    {},
    recorder.handlers({
      end: (connection) => connection.end(),
    }),
  );
  using peer = Peer.connect(listener.port);
  peer.finish();
  runUntil(engine, () => recorder.has("close"));
  settle(engine);
  assertEquals(recorder.log, ["open", "end", "close"]);
  assertEquals(peer.receiveText(), "end");
});

engineTest("both sides may end at the same time", (engine) => {
  const recorder = new Recorder();
  const connections: Connection[] = [];
  const listener = engine.listen(
    {},
    recorder.handlers({
      open: (connection) => connection.end(bytesOf("s")),
    }),
  );
  engine.connect({ port: listener.port }, {
    open(connection) {
      connections.push(connection);
      connection.end(bytesOf("c"));
    },
    data: (_, chunk) => recorder.log.push(`client data ${chunk.length}`),
    close: () => recorder.log.push("client close"),
  });
  runUntil(engine, () => recorder.has("close") && recorder.has("client close"));
  assertEquals(recorder.log.toSorted(), [
    "client close",
    "client data 1",
    "close",
    "data c",
    "open",
  ]);
});

engineTest(
  "a half-closed connection whose peer goes away fails at the next write",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers({ end: () => {} }));
    const peer = Peer.connect(listener.port);
    peer.finish();
    runUntil(engine, () => recorder.has("end"));
    peer.reset();
    settle(engine);
    const { connection } = recorder;
    runUntil(engine, () => {
      if (!connection.closed) connection.write(bytesOf("x"));
      return recorder.has("close");
    });
    settle(engine);
    const [open, end, error, close, ...rest] = recorder.log;
    assertEquals([open, end, close, rest], ["open", "end", "close", []]);
    assertEquals(
      ["error ECONNRESET", "error EPIPE"].includes(error ?? ""),
      true,
    );
  },
);

/** Reads slowly, turning the engine between, up to the end of file. */
function assertReceives(sent: Uint8Array, peer: Peer, engine: Engine): void {
  let offset = 0;
  runUntil(engine, () => {
    const chunk = peer.receive(300_000);
    if (typeof chunk === "string") return chunk === "end";
    const expected = sent.subarray(offset, offset + chunk.length);
    assertEquals(Buffer.compare(chunk, expected), 0);
    offset += chunk.length;
    return false;
  });
  assertEquals(offset, sent.length);
}
