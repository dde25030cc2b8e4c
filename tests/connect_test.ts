/** Connecting: what comes of it, and what can be done meanwhile. */
import process from "node:process";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { type Connection, type Engine, SystemError } from "../mod.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { closedPort, PeerListener } from "./support/net_peer.ts";
import { openDescriptors } from "./support/descriptors.ts";

/** A unix socket's abstract name, of this process and test alone. */
function abstractName(what: string): string {
  return `\0edgewise-${process.pid}-${what}`;
}

engineTest("open comes first, then what the server sends", (engine) => {
  using server = new PeerListener();
  const recorder = new Recorder();
  const connection = engine.connect({ port: server.port }, recorder.handlers());
  assertEquals(recorder.log, []);
  using peer = server.accept();
  peer.send("hello");
  peer.finish();
  runUntil(engine, () => recorder.has("close"));
  settle(engine);
  assertEquals(recorder.log, ["open", "data hello", "close"]);
  assertEquals(recorder.connection, connection);
});

engineTest(
  "a refused connection has one error, then close, and never opens",
  (engine) => {
    const port = closedPort();
    const recorder = new Recorder();
    engine.connect({ port }, recorder.handlers({ end: () => {} }));
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["error ECONNREFUSED", "close"]);
    const { error } = recorder;
    assertInstanceOf(error, SystemError);
    assertEquals(error.syscall, "connect");
    assertEquals(error.errno, 111);
    assertEquals(error.address, `127.0.0.1:${port}`);
  },
);

engineTest(
  "a refused connection drops what was written, and writes nothing more",
  (engine) => {
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: closedPort() },
      recorder.handlers(),
    );
    assertEquals(connection.write(bytesOf("queued")), 6);
    assertEquals(connection.bufferedBytes, 6);
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["error ECONNREFUSED", "close"]);
    assertEquals(connection.bufferedBytes, 0);
    assertEquals(connection.write(bytesOf("late")), 0);
    assertEquals(connection.fd, -1);
  },
);

countingTest(
  "SO_ERROR is asked once where connecting failed, and not where it did not",
  (engine, counting) => {
    const recorder = new Recorder();
    engine.connect({ port: closedPort() }, recorder.handlers());
    runUntil(engine, () => recorder.has("close"));
    assertEquals(counting.count("getsockopt"), 1);
    counting.reset();
    using server = new PeerListener();
    engine.connect({ port: server.port }, recorder.handlers());
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    assertEquals(counting.count("getsockopt"), 0);
  },
);

countingTest(
  "connecting, a message and closing make no system call too many",
  (engine, counting, trigger) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: server.port },
      recorder.handlers(),
    );
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    using peer = server.accept();
    connection.write(bytesOf("ping"));
    peer.send("pong");
    runUntil(engine, () => recorder.has("data pong"));
    connection.close();
    settle(engine);
    const made = counting.log.map(({ name }) => name)
      .filter((name) => !name.startsWith("epoll_"));
    assertEquals(made, ["socket", "connect", "send", "recv", "close"]);
    // Level-triggered, what has become writable has to be muted.
    assertEquals(counting.count("epoll_ctl"), trigger === "edge" ? 2 : 3);
  },
);

for (const verb of ["close", "reset"] as const) {
  engineTest(
    `${verb}() while connecting gives one close and nothing else`,
    (engine) => {
      using server = new PeerListener();
      for (const port of [server.port, closedPort()]) {
        const recorder = new Recorder();
        const connection = engine.connect({ port }, recorder.handlers());
        connection.write(bytesOf("never sent"));
        connection[verb]();
        connection[verb]();
        settle(engine);
        assertEquals(recorder.log, ["close"]);
      }
    },
  );
}

engineTest(
  "close() after the kernel has told of a failure gives no error",
  (engine) => {
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: closedPort() },
      recorder.handlers(),
    );
    while (engine.poll(20) === 0);
    connection.close();
    settle(engine);
    assertEquals(recorder.log, ["close"]);
  },
);

engineTest(
  "what is written while connecting is sent first, in order",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: server.port },
      recorder.handlers({
        open: (connection) => void connection.write(bytesOf("c")),
      }),
    );
    assertEquals(connection.write(bytesOf("a")), 1);
    assertEquals(connection.write(bytesOf("b")), 1);
    assertEquals(connection.bufferedBytes, 2);
    runUntil(engine, () => recorder.has("drain"));
    using peer = server.accept();
    assertEquals(peer.receiveText(), "abc");
  },
);

engineTest(
  "bufferMax holds while connecting, and drain asks for the rest",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const sent = bytesOf("0123456789");
    let offered = 0;
    const connection = engine.connect(
      { port: server.port, bufferMax: 4 },
      recorder.handlers({
        drain(connection) {
          offered += connection.write(sent.subarray(offered));
        },
      }),
    );
    offered = connection.write(sent);
    assertEquals([offered, connection.bufferedBytes], [4, 4]);
    assertEquals(connection.write(sent.subarray(offered)), 0);
    runUntil(engine, () => offered === sent.length);
    settle(engine);
    using peer = server.accept();
    assertEquals(peer.receiveText(), "0123456789");
    assertEquals(recorder.log, ["open", "drain"]);
  },
);

engineTest(
  "with bufferMax 0 a write before open is asked for again at drain",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: server.port, bufferMax: 0 },
      recorder.handlers({
        drain: (connection) => void connection.write(bytesOf("now")),
      }),
    );
    assertEquals(connection.write(bytesOf("now")), 0);
    runUntil(engine, () => recorder.has("drain"));
    using peer = server.accept();
    runUntil(engine, () => peer.receiveText() === "now");
    assertEquals(recorder.log, ["open", "drain"]);
  },
);

engineTest(
  "end() while connecting sends what was written, then the end",
  (engine) => {
    using server = new PeerListener();
    for (const text of ["all of it", ""]) {
      const recorder = new Recorder();
      const connection = engine.connect(
        { port: server.port },
        recorder.handlers(),
      );
      connection.end(bytesOf(text));
      assertThrows(() => connection.write(bytesOf("x")), SystemError, "EPIPE");
      runUntil(engine, () => recorder.has("open"));
      settle(engine);
      using peer = server.accept();
      if (text !== "") assertEquals(peer.receiveText(), text);
      assertEquals(peer.receiveText(), "end");
      peer.finish();
      runUntil(engine, () => recorder.has("close"));
      assertEquals(recorder.log, ["open", "close"]);
    }
  },
);

engineTest(
  "a server that resets at once is told of by an error, then close",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    engine.connect({ port: server.port }, recorder.handlers());
    server.accept().reset();
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    const told = recorder.log.filter((what) => what !== "open");
    assertEquals(told, ["error ECONNRESET", "close"]);
  },
);

engineTest(
  "200 connections at once all open, and all are refused where nobody listens",
  (engine) => {
    using server = new PeerListener(undefined, 512);
    const opened = new Recorder();
    const refused = new Recorder();
    const port = closedPort();
    const connections: Connection[] = [];
    for (let count = 0; count < 200; count++) {
      const options = { port: server.port };
      connections.push(engine.connect(options, opened.handlers()));
      engine.connect({ port }, refused.handlers());
    }
    runUntil(engine, () => refused.count("close") === 200);
    runUntil(engine, () => opened.count("open") === 200);
    assertEquals(refused.log.length, 400);
    assertEquals(opened.log.length, 200);
    for (const connection of connections) connection.close();
  },
);

engineTest("connecting again in the close handler works", (engine) => {
  using server = new PeerListener();
  const recorder = new Recorder();
  let left = 3;
  const connect = (port: number) =>
    engine.connect(
      { port },
      recorder.handlers({
        close() {
          left--;
          if (left > 0) connect(left === 1 ? server.port : port);
        },
      }),
    );
  connect(closedPort());
  runUntil(engine, () => recorder.has("open"));
  assertEquals(recorder.log, [
    "error ECONNREFUSED",
    "close",
    "error ECONNREFUSED",
    "close",
    "open",
  ]);
  left = 0;
});

/** Fills the backlog of a unix socket; returns those in it. */
function fillBacklog(server: PeerListener, engine: Engine): Connection[] {
  const inside: Connection[] = [];
  for (;;) {
    let state = "";
    const connection = engine.connect({ path: pathOf(server) }, {
      open: () => state = "open",
    });
    settle(engine);
    if (state === "") {
      connection.close();
      return inside;
    }
    inside.push(connection);
    assert(inside.length < 100);
  }
}

function pathOf({ address }: PeerListener): string {
  return address.family === "unix-abstract" ? `\0${address.name}` : "";
}

countingTest(
  "a unix socket whose backlog is full is tried again until there is room",
  (engine, counting) => {
    const name = abstractName("backlog").slice(1);
    using server = new PeerListener({ family: "unix-abstract", name }, 1);
    const inside = fillBacklog(server, engine);
    const recorder = new Recorder();
    counting.reset();
    const connection = engine.connect(
      { path: pathOf(server) },
      recorder.handlers(),
    );
    connection.write(bytesOf("patience"));
    runUntil(engine, () => counting.count("connect") > 3);
    assertEquals(
      counting.named("connect").every(({ result }) => result === -11),
      true,
    );
    assertEquals(recorder.log, []);
    const peers = [server.accept()];
    runUntil(engine, () => recorder.has("drain"));
    for (let count = 0; count < inside.length; count++) {
      peers.push(server.accept());
    }
    assertEquals(recorder.log, ["open", "drain"]);
    assertEquals(peers.at(-1)?.receiveText(), "patience");
    for (const peer of peers) peer.close();
    for (const each of [...inside, connection]) each.close();
  },
);

engineTest(
  "close() while a full backlog is waited for gives one close",
  (engine) => {
    const name = abstractName("impatient").slice(1);
    using server = new PeerListener({ family: "unix-abstract", name }, 1);
    const inside = fillBacklog(server, engine);
    const before = openDescriptors().size;
    const recorder = new Recorder();
    const connection = engine.connect(
      { path: pathOf(server) },
      recorder.handlers(),
    );
    settle(engine);
    connection.close();
    assertEquals(openDescriptors().size, before);
    let passed = false;
    engine.timer(30, () => passed = true);
    runUntil(engine, () => passed);
    assertEquals(recorder.log, ["close"]);
    for (const each of inside) each.close();
  },
);

engineTest(
  "engine.close() while a full backlog is waited for gives one close",
  (engine) => {
    const name = abstractName("closing").slice(1);
    using server = new PeerListener({ family: "unix-abstract", name }, 1);
    fillBacklog(server, engine);
    const recorder = new Recorder();
    engine.connect({ path: pathOf(server) }, recorder.handlers());
    engine.close();
    assertEquals(recorder.log, ["close"]);
  },
);

engineTest(
  "a large exchange between two connections of one engine is exact",
  (engine) => {
    const sent = pattern(5_000_000);
    let received = 0;
    let wrong = 0;
    const listener = engine.listen({}, {
      data: (connection, chunk) => {
        for (let index = 0; index < chunk.length; index += 251) {
          if (chunk[index] !== sent[received + index]) wrong++;
        }
        received += chunk.length;
        if (received === sent.length) connection.end(bytesOf("thanks"));
      },
    });
    const recorder = new Recorder();
    engine.connect(
      { port: listener.port },
      recorder.handlers({ open: (connection) => connection.end(sent) }),
    );
    runUntil(engine, () => recorder.has("close"));
    assertEquals([received, wrong], [sent.length, 0]);
    assertEquals(recorder.log, ["open", "data thanks", "close"]);
  },
);

engineTest("a connect() that throws leaves no descriptor", (engine) => {
  const before = openDescriptors().size;
  assertThrows(() => engine.connect({}, {}), RangeError, "port");
  assertThrows(() => engine.connect({ port: 0 }, {}), RangeError, "port");
  assertThrows(() => engine.connect({ port: 65536 }, {}), RangeError, "port");
  assertThrows(() => engine.connect({ port: 1.5 }, {}), RangeError, "port");
  assertThrows(() => engine.connect({ port: NaN }, {}), RangeError, "port");
  const hostname = "not an address";
  assertThrows(() => engine.connect({ hostname, port: 1 }, {}), TypeError);
  assertEquals(openDescriptors().size, before);
});

engineTest("connect() on a closed engine throws EBADF", (engine) => {
  engine.close();
  const error = assertThrows(
    () => engine.connect({ port: 1 }, {}),
    SystemError,
  );
  assertEquals(error.code, "EBADF");
});
