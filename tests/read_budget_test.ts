/** Reading within a budget: no client keeps others waiting, and nothing is left behind. */
import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { MSG_DONTWAIT, send } from "../ffi/mod.ts";
import type { Connection } from "../mod.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { Program } from "./support/process.ts";

/** From `include/linux/socket.h`; a data byte out of band. */
const MSG_OOB = 1;
/** Chunks after which a flooded engine has had every chance. */
const PATIENCE = 2000;

const flood = new Uint8Array(1024 * 1024);

/**
 * A listener whose first client sends as fast as it is read: its socket is never
 * empty. `stop` ends the flood.
 */
function flooded(
  engine: Parameters<Parameters<typeof engineTest>[1]>[0],
  onData: (connection: Connection, chunks: number) => void = () => {},
) {
  const state = { chunks: 0, stopped: false };
  const others = new Recorder();
  let flooder: Connection | null = null;
  const listener = engine.listen({}, {
    open(connection) {
      flooder ??= connection;
      if (connection !== flooder) others.handlers().open?.(connection);
    },
    data(connection, chunk) {
      if (connection !== flooder) {
        others.handlers().data?.(connection, chunk);
        return;
      }
      state.chunks++;
      if (state.chunks > PATIENCE) state.stopped = true;
      if (!state.stopped) peer.trySend(flood);
      onData(connection, state.chunks);
    },
  });
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => flooder !== null);
  peer.fill();
  return { state, others, listener, peer };
}

engineTest("a flooding client does not starve another", (engine) => {
  const { state, others, listener, peer } = flooded(engine);
  using second = Peer.connect(listener.port);
  second.send("me too");
  runUntil(engine, () => others.has("data me too") || state.stopped);
  const { stopped } = state;
  state.stopped = true;
  assertEquals(others.log, ["open", "data me too"]);
  assertEquals(stopped, false);
  peer.close();
});

engineTest("a flooding client does not starve timers", (engine) => {
  const { state, peer } = flooded(engine);
  let fired = 0;
  engine.timer(0, () => fired++);
  runUntil(engine, () => fired > 0 || state.stopped);
  const { stopped } = state;
  state.stopped = true;
  assertEquals([fired, stopped], [1, false]);
  peer.close();
});

engineTest(
  "a flooding client does not starve the writes, drains and closes of others",
  (engine) => {
    const { state, others, listener, peer } = flooded(engine);
    using second = Peer.connect(listener.port);
    second.send("go");
    runUntil(engine, () => others.has("data go") || state.stopped);
    const big = new Uint8Array(16 * 1024 * 1024);
    let drained = false;
    let closed = false;
    const third = engine.connect(
      { port: listener.port, bufferMax: big.length },
      {
        open(connection) {
          connection.write(big);
        },
        drain(connection) {
          drained = true;
          connection.close();
        },
        close: () => closed = true,
      },
    );
    runUntil(engine, () => closed || state.stopped);
    const { stopped } = state;
    state.stopped = true;
    assertEquals([drained, closed, stopped], [true, true, false]);
    assertEquals(third.closed, true);
    peer.close();
  },
);

engineTest("stop() in the midst of a flood ends run()", (engine) => {
  const { state, peer } = flooded(engine, (_, chunks) => {
    if (chunks === 100) engine.stop();
  });
  engine.run();
  assert(state.chunks < PATIENCE);
  state.stopped = true;
  peer.close();
});

engineTest("nothing is lost where the budget ends a round", (engine) => {
  const sent = pattern(4_000_000);
  let received = 0;
  let wrong = 0;
  const listener = engine.listen({}, {
    data(_, chunk) {
      for (let index = 0; index < chunk.length; index += 997) {
        if (chunk[index] !== sent[received + index]) wrong++;
      }
      received += chunk.length;
    },
  });
  using peer = Peer.connect(listener.port);
  let offered = 0;
  runUntil(engine, () => {
    const count = peer.trySend(sent.subarray(offered));
    if (typeof count === "number") offered += count;
    return received === sent.length;
  });
  assertEquals(wrong, 0);
});

countingTest(
  "two clients with much to read are read in turn",
  (engine, counting) => {
    const order: number[] = [];
    const received = new Map<number, number>();
    const opened: Connection[] = [];
    const listener = engine.listen({}, {
      open(connection) {
        opened.push(connection);
        connection.pause();
      },
      data(connection, chunk) {
        const { fd } = connection;
        if (order.at(-1) !== fd) order.push(fd);
        received.set(fd, (received.get(fd) ?? 0) + chunk.length);
      },
    });
    using first = Peer.connect(listener.port);
    using second = Peer.connect(listener.port);
    runUntil(engine, () => opened.length === 2);
    const sent = Math.min(first.fill(), second.fill());
    // More than the budget, so that it ends a round.
    assert(sent > 1024 * 1024);
    for (const connection of opened) connection.resume();
    settle(engine);
    assert(order.length >= 4, `the order was ${order}`);
    assert(counting.count("recv") > 8);
  },
);

engineTest(
  "what the budget puts off is read beside promises, too",
  async (engine) => {
    let received = 0;
    let sent = Infinity;
    const recorder = new Recorder();
    const listener = engine.listen({}, {
      open(connection) {
        recorder.opened.push(connection);
        connection.pause();
      },
      data(_, chunk) {
        received += chunk.length;
        if (received === sent) engine.stop();
      },
    });
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.opened.length === 1);
    sent = peer.fill();
    recorder.connection.resume();
    // Were some of it forgotten, nothing would end the wait.
    engine.timer(10_000, () => engine.stop());
    await engine.start();
    assertEquals(received, sent);
  },
);

engineTest("bytes after urgent data are not left behind", (engine) => {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers());
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  for (const [before, after] of [["one", "two"], ["three", "four"]] as const) {
    recorder.log.length = 0;
    peer.send(before);
    assertEquals(send(peer.fd, bytesOf("!"), MSG_OOB | MSG_DONTWAIT), 1);
    peer.send(after);
    runUntil(engine, () => recorder.log.length > 0);
    settle(engine);
    const text = recorder.log.map((told) => told.replace("data ", "")).join("");
    assertEquals(text, before + after);
  }
});

engineTest(
  "bytes after a message with descriptors are not left behind",
  async (engine) => {
    const recorder = new Recorder();
    const path = `\0edgewise-${process.pid}-descriptors`;
    const listener = engine.listen({ path }, recorder.handlers());
    const script = `
import array, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("\\0" + sys.argv[1])
s.sendmsg([b"with"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
s.sendmsg([b"-without"])
s.sendmsg([b"-with"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
s.sendmsg([b"-without"])
print("sent", flush=True)
s.recv(1)
`;
    await using python = new Program("python3", ["-c", script, path.slice(1)]);
    await python.waitFor(/sent/);
    runUntil(engine, () => recorder.log.length > 1);
    settle(engine);
    const text = recorder.log.slice(1).map((told) => told.replace("data ", ""));
    assertEquals(text.join(""), "with-without-with-without");
    listener.close();
    recorder.connection.close();
    assertEquals((await python.finished()).code, 0);
  },
);
