/** Splicing two connections together, as a proxy does. */
import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { EINTR, EMFILE, systemCalls } from "../ffi/mod.ts";
import {
  type Connection,
  type ConnectionHandlers,
  Engine,
  SystemError,
} from "../mod.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  pattern,
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer, PeerListener } from "./support/net_peer.ts";

/** Two connections of the engine's, `near` and `far`, and their peers. */
function open(engine: Engine, own: ConnectionHandlers = {}, options = {}) {
  const recorder = new Recorder();
  const listener = engine.listen(options, recorder.handlers(own));
  const nearPeer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.opened.length === 1);
  const farPeer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.opened.length === 2);
  const [near, far] = recorder.opened as [Connection, Connection];
  listener.close();
  return { recorder, near, far, nearPeer, farPeer };
}

/** What a peer gets of `bytes` that another one sends, both as fast as they can. */
function transfer(
  engine: Engine,
  sender: Peer,
  receiver: Peer,
  bytes: Uint8Array,
): Buffer {
  const chunks: Uint8Array[] = [];
  let sent = 0;
  let received = 0;
  runUntil(engine, () => {
    if (sent < bytes.length) {
      const count = sender.trySend(bytes.subarray(sent));
      if (typeof count === "number") sent += count;
    }
    const chunk = receiver.receive();
    if (typeof chunk !== "string") {
      chunks.push(chunk);
      received += chunk.length;
    }
    return received === bytes.length;
  });
  return Buffer.concat(chunks);
}

const LARGE = pattern(40_000_000);

for (const path of [undefined, `\0edgewise-${process.pid}-splice`]) {
  const options = path === undefined ? {} : { path };
  engineTest(
    `40 MB pass each way as they are, ${path === undefined ? "TCP" : "unix"}`,
    (engine) => {
      const { recorder, near, far, nearPeer, farPeer } = open(
        engine,
        {},
        options,
      );
      near.splice(far);
      far.splice(near);
      assert(transfer(engine, nearPeer, farPeer, LARGE).equals(LARGE));
      assert(transfer(engine, farPeer, nearPeer, LARGE).equals(LARGE));
      nearPeer.finish();
      runUntil(engine, () => farPeer.receiveText() === "end");
      // Half closed: the other way still works.
      assert(transfer(engine, farPeer, nearPeer, LARGE).equals(LARGE));
      assertEquals(recorder.has("close"), false);
      farPeer.finish();
      runUntil(engine, () => recorder.count("close") === 2);
      assertEquals(nearPeer.receiveText(), "end");
      assertEquals(recorder.log, ["open", "open", "close", "close"]);
      nearPeer.close();
      farPeer.close();
    },
  );
}

countingTest(
  "a message that is spliced is not received by the process",
  (engine, counting) => {
    const { near, far, nearPeer, farPeer } = open(engine);
    near.splice(far);
    far.splice(near);
    settle(engine);
    counting.reset();
    for (let round = 0; round < 20; round++) {
      nearPeer.send("ping");
      runUntil(engine, () => farPeer.receiveText() === "ping");
      farPeer.send("pong");
      runUntil(engine, () => nearPeer.receiveText() === "pong");
    }
    settle(engine);
    const waits = ["epoll_wait", "epoll_pwait2"];
    const names = counting.log.map(({ name }) => name)
      .filter((name) => !waits.includes(name));
    assertEquals(new Set(names), new Set(["splice"]));
    // In, out, and once more to see that there is nothing left.
    assert(names.length <= 3 * 40, `${names.length}`);
    nearPeer.close();
    farPeer.close();
  },
);

engineTest(
  "what was written before goes first, what was received is not passed on",
  (engine) => {
    const { recorder, near, far, nearPeer, farPeer } = open(engine, {
      data(connection, chunk) {
        // A line for the proxy itself, then the rest.
        const text = new TextDecoder().decode(chunk);
        if (text !== "CONNECT") throw new Error(text);
        connection.context = text;
      },
    });
    nearPeer.send("CONNECT");
    runUntil(engine, () => recorder.has("data CONNECT"));
    far.write(bytesOf("HELLO "));
    near.splice(far);
    nearPeer.send("the rest");
    let text = "";
    runUntil(engine, () => {
      const got = farPeer.receiveText();
      if (got !== "EAGAIN") text += got;
      return text === "HELLO the rest";
    });
    nearPeer.close();
    farPeer.close();
  },
);

engineTest("splicing in a data handler passes on what follows", (engine) => {
  let other: Connection | null = null;
  const { near, far, nearPeer, farPeer } = open(engine, {
    data: (connection) => connection.splice(other as Connection),
  });
  other = far;
  nearPeer.send("first");
  runUntil(engine, () => {
    engine.turn(1);
    return near.context === undefined && nearPeer.trySend("x") === 1;
  });
  runUntil(engine, () => farPeer.receiveText().startsWith("x"));
  nearPeer.close();
  farPeer.close();
});

engineTest(
  "a reader that does not read holds up the sender, and no memory is used",
  (engine) => {
    const { near, far, nearPeer, farPeer } = open(engine);
    near.splice(far);
    let sent = 0;
    let idle = 0;
    runUntil(engine, () => {
      const count = nearPeer.trySend(LARGE.subarray(sent));
      idle = typeof count === "number" ? 0 : idle + 1;
      if (typeof count === "number") sent += count;
      return idle > 20;
    });
    assert(sent < LARGE.length);
    assertEquals([near.bufferedBytes, far.bufferedBytes], [0, 0]);
    // It waits without spinning.
    const events = engine.metrics.events;
    engine.turn(5);
    assertEquals(engine.metrics.events, events);
    let received = 0;
    runUntil(engine, () => {
      const chunk = farPeer.receive();
      if (typeof chunk !== "string") received += chunk.length;
      return received === sent;
    });
    nearPeer.close();
    farPeer.close();
  },
);

engineTest("pause() and resume() hold for what is spliced, too", (engine) => {
  const { near, far, nearPeer, farPeer } = open(engine);
  near.splice(far);
  near.pause();
  nearPeer.send("later");
  settle(engine);
  assertEquals(farPeer.receiveText(), "EAGAIN");
  near.resume();
  runUntil(engine, () => farPeer.receiveText() === "later");
  nearPeer.close();
  farPeer.close();
});

for (const verb of ["close", "reset"] as const) {
  for (const side of ["near", "far"] as const) {
    engineTest(
      `${verb}() of the ${side} side resets the other one`,
      (engine) => {
        const { recorder, near, far, nearPeer, farPeer } = open(engine);
        const before = openDescriptors().size;
        near.splice(far);
        far.splice(near);
        assertEquals(openDescriptors().size, before + 4);
        (side === "near" ? near : far)[verb]();
        assertEquals([near.closed, far.closed], [true, true]);
        assertEquals(openDescriptors().size, before - 2);
        settle(engine);
        assertEquals(recorder.count("close"), 2);
        assertEquals(recorder.error, null);
        const other = side === "near" ? farPeer : nearPeer;
        assertEquals(other.receiveText(), "ECONNRESET");
        nearPeer.close();
        farPeer.close();
      },
    );
  }
}

engineTest("a peer that resets has the other side reset", (engine) => {
  const { recorder, near, far, nearPeer, farPeer } = open(engine);
  near.splice(far);
  far.splice(near);
  nearPeer.reset();
  runUntil(engine, () => recorder.count("close") === 2);
  assertEquals(recorder.error?.code, "ECONNRESET");
  assertEquals(farPeer.receiveText(), "ECONNRESET");
  farPeer.close();
});

engineTest("a receiver that is gone has the sender reset", (engine) => {
  const { recorder, near, far, nearPeer, farPeer } = open(engine);
  near.splice(far);
  farPeer.reset();
  runUntil(engine, () => {
    if (!recorder.has("close")) nearPeer.trySend("x");
    return recorder.count("close") === 2;
  });
  runUntil(engine, () => nearPeer.receiveText() === "ECONNRESET");
  nearPeer.close();
});

engineTest("what can't be spliced is refused, and nothing leaks", (engine) => {
  const { near, far, nearPeer, farPeer } = open(engine);
  using other = new Engine();
  const stranger = open(other);
  using server = new PeerListener();
  const connecting = engine.connect({ port: server.port }, {});
  const before = openDescriptors().size;
  assertThrows(() => near.splice(near), Error, "same");
  assertThrows(() => near.splice(stranger.near), Error, "engines");
  assertThrows(() => near.splice(connecting), Error, "open");
  assertThrows(() => connecting.splice(near), Error, "open");
  assertEquals(openDescriptors().size, before);
  near.splice(far);
  assertThrows(() => near.splice(far), Error, "spliced");
  assertThrows(() => near.detach(), Error, "spliced");
  assertThrows(() => far.detach(), Error, "spliced");
  near.end();
  assertThrows(() => far.splice(near), Error, "ended");
  near.close();
  assertThrows(() => near.splice(far), Error, "open");
  for (const { nearPeer, farPeer } of [stranger]) {
    nearPeer.close();
    farPeer.close();
  }
  nearPeer.close();
  farPeer.close();
});

test("splice() without a descriptor left throws, and the connections go on", () => {
  using engine = new Engine({}, replacing({ pipe2: () => -EMFILE }));
  const { near, far, nearPeer, farPeer } = open(engine, {
    data: (connection, chunk) => void connection.write(chunk),
  });
  assertThrows(() => near.splice(far), SystemError, "EMFILE");
  nearPeer.send("echo");
  runUntil(engine, () => nearPeer.receiveText() === "echo");
  nearPeer.close();
  farPeer.close();
});

triggerTest("splice(2) is tried again after an interruption", (trigger) => {
  let calls = 0;
  const table = replacing({
    splice(inFd, outFd, count, flags) {
      if (calls++ % 2 === 0) return -EINTR;
      return systemCalls.splice(inFd, outFd, Math.min(count, 4999), flags);
    },
  });
  using engine = new Engine({ trigger }, table);
  const { near, far, nearPeer, farPeer } = open(engine);
  near.splice(far);
  const bytes = LARGE.subarray(0, 1_000_000);
  assert(transfer(engine, nearPeer, farPeer, bytes).equals(bytes));
  nearPeer.close();
  farPeer.close();
});
