/** What a connection tells its handlers, in which order and how often. */
import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { type ConnectionHandlers, Engine, SystemError } from "../mod.ts";
import {
  getsockopt,
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../ffi/mod.ts";
import { openDescriptors } from "./support/descriptors.ts";
import {
  bytesOf,
  engineTest,
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** A listener, one peer of it, and the connection between, open. */
function open(engine: Engine, own: ConnectionHandlers = {}) {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers(own));
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  return { recorder, listener, peer, connection: recorder.connection };
}

engineTest("open, data, end and close come in this order", (engine) => {
  const { recorder, peer } = open(engine, {
    end: (connection) => connection.end(bytesOf("bye")),
  });
  peer.send("one");
  runUntil(engine, () => recorder.has("data one"));
  peer.send("two");
  runUntil(engine, () => recorder.has("data two"));
  peer.finish();
  runUntil(engine, () => recorder.has("close"));
  settle(engine);
  assertEquals(recorder.log, ["open", "data one", "data two", "end", "close"]);
  assertEquals(peer.receiveText(), "bye");
  assertEquals(peer.receiveText(), "end");
  peer.close();
});

engineTest("all handlers may be absent", (engine) => {
  const listener = engine.listen({}, {});
  using peer = Peer.connect(listener.port);
  peer.send("nobody listens to this");
  runUntil(engine, () => listener.connections === 1);
  peer.finish();
  runUntil(engine, () => listener.connections === 0);
  assertEquals(peer.receiveText(), "end");
});

engineTest(
  "an RST is told by one error, then close once and last",
  (engine) => {
    const { recorder, peer } = open(engine, { end: () => {} });
    peer.reset();
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["open", "error ECONNRESET", "close"]);
    assertInstanceOf(recorder.error, SystemError);
    assertEquals(recorder.error.syscall, "recv");
  },
);

engineTest("data that arrived before an RST is told first", (engine) => {
  const { recorder, peer } = open(engine, { end: () => {} });
  peer.send("last words");
  peer.reset();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, [
    "open",
    "data last words",
    "error ECONNRESET",
    "close",
  ]);
});

engineTest("close() calls close later, once, and no error", (engine) => {
  const { recorder, connection, listener, peer } = open(engine);
  connection.close();
  assertEquals(recorder.log, ["open"]);
  assertEquals(connection.closed, true);
  assertEquals(connection.fd, -1);
  assertEquals(peer.receiveText(), "end");
  connection.close();
  connection.reset();
  connection[Symbol.dispose]();
  connection.pause();
  connection.resume();
  settle(engine);
  assertEquals(recorder.log, ["open", "close"]);
  assertEquals(listener.connections, 0);
  peer.close();
});

engineTest("reset() gives the peer an RST", (engine) => {
  const { recorder, connection, peer } = open(engine);
  connection.reset();
  assertEquals(peer.receiveText(), "ECONNRESET");
  settle(engine);
  assertEquals(recorder.log, ["open", "close"]);
  peer.close();
});

engineTest("write() and end() after one's own end() throw EPIPE", (engine) => {
  const { connection, peer } = open(engine, { end: () => {} });
  connection.end();
  const error = assertThrows(
    () => connection.write(bytesOf("late")),
    SystemError,
  );
  assertEquals(error.code, "EPIPE");
  assertThrows(() => connection.end(), SystemError, "EPIPE");
  assertThrows(() => connection.shutdown(), SystemError, "EPIPE");
  assertEquals(peer.receiveText(), "end");
  peer.close();
});

engineTest("write() after one's own close() throws EPIPE", (engine) => {
  const { connection, peer } = open(engine);
  connection.close();
  const error = assertThrows(
    () => connection.write(bytesOf("late")),
    SystemError,
  );
  assertEquals(error.code, "EPIPE");
  peer.close();
});

engineTest("write() after the peer's close returns 0", (engine) => {
  const { recorder, connection, peer } = open(engine);
  peer.close();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(connection.write(bytesOf("late")), 0);
  assertEquals(recorder.log, ["open", "close"]);
});

engineTest("write() after an error returns 0", (engine) => {
  const { recorder, connection, peer } = open(engine);
  peer.reset();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(connection.write(bytesOf("late")), 0);
  assertEquals(recorder.log, ["open", "error ECONNRESET", "close"]);
});

engineTest(
  "write() to a peer that is gone, and not seen so, fails once",
  (engine) => {
    const { recorder, connection, peer } = open(engine);
    peer.reset();
    assertEquals(connection.write(bytesOf("late")), 0);
    settle(engine);
    assertEquals(recorder.log, ["open", "error ECONNRESET", "close"]);
    assertEquals(connection.write(bytesOf("later")), 0);
  },
);

engineTest("no handler runs inside write()", (engine) => {
  let writing = false;
  const calls: string[] = [];
  const note = (what: string) => () => {
    calls.push(writing ? `${what} inside` : what);
  };
  const { connection, peer } = open(engine, {
    error: note("error"),
    close: note("close"),
  });
  peer.reset();
  writing = true;
  connection.write(bytesOf("late"));
  writing = false;
  settle(engine);
  assertEquals(calls, ["error", "close"]);
});

engineTest("an empty write() is accepted and sends nothing", (engine) => {
  const { recorder, connection, peer } = open(engine);
  assertEquals(connection.write(new Uint8Array(0)), 0);
  connection.end(new Uint8Array(0));
  assertEquals(peer.receiveText(), "end");
  peer.close();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, ["open", "close"]);
});

engineTest(
  "write() takes a view on shared memory, and honours its offset",
  (engine) => {
    const { connection, peer } = open(engine);
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    shared.set(bytesOf("--shared--"));
    assertEquals(connection.write(shared.subarray(2, 8)), 6);
    assertEquals(peer.receiveText(), "shared");
    peer.close();
  },
);

triggerTest(
  "engine.close() calls each close handler once and leaves no descriptor",
  (trigger) => {
    const before = openDescriptors().size;
    const recorder = new Recorder();
    const engine = new Engine({ trigger });
    const listener = engine.listen({}, recorder.handlers());
    const peers = Array.from({ length: 5 }, () => Peer.connect(listener.port));
    runUntil(engine, () => recorder.opened.length === 5);
    const connecting = engine.connect(
      { port: listener.port },
      recorder.handlers(),
    );
    for (const peer of peers) peer.send("unread");
    engine.close();
    assertEquals(recorder.count("close"), 6);
    assertEquals(recorder.log.length, 11);
    assertEquals(recorder.opened.every(({ closed }) => closed), true);
    assertEquals([connecting.fd, listener.fd], [-1, -1]);
    for (const peer of peers) peer.close();
    assertEquals(openDescriptors().size, before);
    engine.close();
    assertEquals(recorder.count("close"), 6);
  },
);

engineTest("engine.close() in a data handler closes all, once", (engine) => {
  const recorder = new Recorder();
  const listener = engine.listen(
    {},
    recorder.handlers({ data: () => engine.close() }),
  );
  using first = Peer.connect(listener.port);
  using second = Peer.connect(listener.port);
  runUntil(engine, () => recorder.opened.length === 2);
  first.send("x");
  second.send("x");
  engine.turn();
  assertEquals(recorder.log, ["open", "open", "data x", "close", "close"]);
});

engineTest(
  "verbs of a connection after engine.close() do no harm",
  (engine) => {
    const { connection, listener, peer } = open(engine);
    engine.close();
    connection.close();
    connection.reset();
    connection.pause();
    connection.resume();
    listener.close();
    assertEquals(connection.bufferedBytes, 0);
    assertThrows(() => connection.write(bytesOf("x")), SystemError, "EPIPE");
    assertThrows(() => connection.setNoDelay(), SystemError, "EBADF");
    peer.close();
  },
);

engineTest("setNoDelay() and setKeepAlive() reach the socket", (engine) => {
  const { connection, peer } = open(engine);
  const option = (level: number, name: number) => {
    const value = new Int32Array(1);
    getsockopt(connection.fd, level, name, new Uint8Array(value.buffer));
    return value[0] !== 0;
  };
  for (const enabled of [true, false]) {
    connection.setNoDelay(enabled);
    connection.setKeepAlive(enabled);
    assertEquals(option(IPPROTO_TCP, TCP_NODELAY), enabled);
    assertEquals(option(SOL_SOCKET, SO_KEEPALIVE), enabled);
  }
  connection.setNoDelay();
  connection.setKeepAlive();
  assertEquals(option(IPPROTO_TCP, TCP_NODELAY), true);
  assertEquals(option(SOL_SOCKET, SO_KEEPALIVE), true);
  connection.close();
  for (const verb of ["setNoDelay", "setKeepAlive"] as const) {
    const error = assertThrows(() => connection[verb](), SystemError);
    assertEquals(error.code, "EBADF");
    assertEquals(error.syscall.startsWith("setsockopt"), true);
  }
  peer.close();
});

engineTest("context is the user's own", (engine) => {
  const { recorder, connection, peer } = open(engine, {
    data: ({ context }) => recorder.log.push(`context ${context}`),
  });
  assertEquals(connection.context, undefined);
  connection.context = 42;
  peer.send("x");
  runUntil(engine, () => recorder.has("context 42"));
  peer.close();
});

engineTest("a chunk is a view that the next one overwrites", (engine) => {
  const chunks: Uint8Array[] = [];
  const { recorder, peer } = open(engine, {
    data: (_, chunk) => chunks.push(chunk),
  });
  peer.send("first");
  runUntil(engine, () => recorder.has("data first"));
  peer.send("other");
  runUntil(engine, () => recorder.has("data other"));
  assertEquals(new TextDecoder().decode(chunks[0]), "other");
  peer.close();
});

engineTest(
  "a connection serves while the engine runs beside promises",
  async (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      {},
      recorder.handlers({
        data: (connection, chunk) => void connection.write(chunk),
        close: () => engine.stop(),
      }),
    );
    const running = engine.start();
    const client = await Deno.connect({
      hostname: "127.0.0.1",
      port: listener.port,
    });
    await client.write(bytesOf("ping"));
    const answer = new Uint8Array(16);
    const count = await client.read(answer) ?? 0;
    client.close();
    await running;
    assertEquals(new TextDecoder().decode(answer.subarray(0, count)), "ping");
    assertEquals(recorder.log, ["open", "data ping", "close"]);
  },
);
