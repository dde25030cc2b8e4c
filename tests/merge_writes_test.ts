/** Writes of one round that go out with one system call. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type Connection, Engine } from "../mod.ts";
import type { CallName, CountingCalls } from "./support/counting_calls.ts";
import {
  bytesOf,
  countingTest,
  pattern,
  receive,
  Recorder,
  runUntil,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** What sends, and what changes registrations. */
const CALLS: readonly CallName[] = ["send", "writev", "sendfile", "epoll_ctl"];

/** A connection that merges, its peer, and what is done when `data` arrives. */
function open(
  engine: Engine,
  data: (connection: Connection) => void,
  bufferMax = 256 * 1024,
) {
  const recorder = new Recorder();
  const handlers = recorder.handlers({ data });
  const listener = engine.listen({ bufferMax, mergeWrites: true }, handlers);
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  // Its registration is committed.
  engine.turn(0);
  return { recorder, peer, connection: recorder.connection };
}

/** The calls that sending took, while the engine reads "go" and answers it. */
function callsOf(
  engine: Engine,
  counting: CountingCalls,
  peer: Peer,
  recorder: Recorder,
): string {
  counting.reset();
  peer.send("go");
  runUntil(engine, () => recorder.has("data go"));
  engine.turn(0);
  return counting.log.map(({ name }) => name)
    .filter((name) => CALLS.includes(name)).join(" ");
}

countingTest(
  "many writes of one handler are one send, and change no registration",
  (engine, counting) => {
    const { peer, recorder, connection } = open(engine, (connection) => {
      for (let index = 0; index < 100; index++) {
        const text = bytesOf(`${index};`);
        assertEquals(connection.write(text), text.length);
      }
      assertEquals(connection.bufferedBytes, 290);
    });
    assertEquals(callsOf(engine, counting, peer, recorder), "send");
    const texts = Array.from({ length: 100 }, (_, index) => `${index};`);
    assertEquals(peer.receiveText(), texts.join(""));
    assertEquals(connection.bufferedBytes, 0);
    assertEquals(recorder.log, ["open", "data go", "drain"]);
    peer.close();
  },
);

countingTest(
  "without mergeWrites each write is a send, before it returns",
  (engine, counting) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    counting.reset();
    for (let index = 0; index < 3; index++) {
      recorder.connection.write(bytesOf("x"));
    }
    assertEquals(counting.count("send"), 3);
    assertEquals(peer.receiveText(), "xxx");
  },
);

countingTest(
  "what the handlers of several connections write to one is one send",
  (engine, counting) => {
    const { peer, connection, recorder } = open(engine, () => {});
    const others = new Recorder();
    const listener = engine.listen(
      {},
      others.handlers({ data: (_, chunk) => void connection.write(chunk) }),
    );
    const peers = Array.from({ length: 20 }, () => Peer.connect(listener.port));
    runUntil(engine, () => others.opened.length === 20);
    for (const other of peers) other.send("x");
    counting.reset();
    runUntil(engine, () => others.count("data x") === 20);
    engine.turn(0);
    // The kernel may tell of the twenty in more than one wait.
    const waits = counting.count("epoll_wait");
    const sends = counting.count("send");
    assert(sends >= 1 && sends < waits + 1, `${sends} sends, ${waits} waits`);
    let text = "";
    runUntil(engine, () => (text += peer.receiveText()).length === 20);
    assertEquals(recorder.has("close"), false);
    for (const other of peers) other.close();
    peer.close();
  },
);

countingTest(
  "writev() and sendFile() follow what was written before them",
  (engine, counting) => {
    const file = new URL("./support/net_engine.ts", import.meta.url).pathname;
    const { peer, recorder } = open(engine, (connection) => {
      connection.write(bytesOf("a"));
      connection.writev([bytesOf("b"), bytesOf("c")]);
      connection.sendFile(file, { length: 3 });
      connection.write(bytesOf("d"));
    });
    assertEquals(
      callsOf(engine, counting, peer, recorder),
      "send sendfile send",
    );
    assertEquals(peer.receiveText(), "abc/**d");
    peer.close();
  },
);

countingTest(
  "a write that is not short goes out at once, after what was written before",
  (engine, counting) => {
    const large = pattern(20_000);
    let calls = 0;
    const { peer, recorder } = open(engine, (connection) => {
      connection.write(large);
      calls = counting.count("send");
    });
    assertEquals(callsOf(engine, counting, peer, recorder), "send");
    assertEquals(calls, 1);
    assertEquals(receive(engine, peer, 20_000), Buffer.from(large));
    peer.close();

    const mixed = open(engine, (connection) => {
      connection.write(bytesOf("before"));
      assertEquals(connection.write(large), large.length);
    });
    callsOf(engine, counting, mixed.peer, mixed.recorder);
    assertEquals(
      receive(engine, mixed.peer, 20_006),
      Buffer.concat([bytesOf("before"), large]),
    );
    mixed.peer.close();
  },
);

countingTest(
  "end() sends what was written, close() drops it, detach() refuses",
  (engine, counting) => {
    const ends = open(engine, (connection) => {
      connection.write(bytesOf("bye"));
      connection.end();
    });
    callsOf(engine, counting, ends.peer, ends.recorder);
    assertEquals(ends.peer.receiveText(), "bye");
    assertEquals(ends.peer.receive(), "end");
    ends.peer.close();

    const closes = open(engine, (connection) => {
      connection.write(bytesOf("bye"));
      connection.close();
    });
    callsOf(engine, counting, closes.peer, closes.recorder);
    assertEquals(counting.count("send"), 0);
    closes.peer.close();

    let message = "";
    const detaches = open(engine, (connection) => {
      connection.write(bytesOf("bye"));
      try {
        connection.detach();
      } catch (error) {
        message = String(error);
      }
    });
    callsOf(engine, counting, detaches.peer, detaches.recorder);
    assert(message.includes("it has 3 bytes buffered"), message);
    assertEquals(detaches.peer.receiveText(), "bye");
    detaches.peer.close();
  },
);

triggerTest(
  "a slow reader gets everything in order, and no more is buffered than bufferMax",
  (trigger) => {
    using engine = new Engine({ trigger });
    const whole = pattern(4_000_000);
    let accepted = 0;
    let highest = 0;
    const offer = (connection: Connection) => {
      while (accepted < whole.length) {
        const piece = whole.subarray(accepted, accepted + 1000);
        const count = connection.write(piece);
        accepted += count;
        highest = Math.max(highest, connection.bufferedBytes);
        if (count < piece.length) return;
      }
    };
    const recorder = new Recorder();
    const options = { bufferMax: 20_000, mergeWrites: true };
    const listener = engine.listen(
      options,
      recorder.handlers({ open: offer, drain: offer }),
    );
    using peer = Peer.connect(listener.port);
    assert(receive(engine, peer, whole.length).equals(whole));
    assert(highest > 1000 && highest <= 20_000, `${highest}`);
  },
);

triggerTest("a bufferMax of 0 sends every write at once", (trigger) => {
  using engine = new Engine({ trigger });
  const { peer, recorder } = open(engine, (connection) => {
    assertEquals(connection.write(bytesOf("ab")), 2);
    assertEquals(connection.write(bytesOf("cd")), 2);
  }, 0);
  peer.send("go");
  runUntil(engine, () => recorder.has("data go"));
  assertEquals(peer.receiveText(), "abcd");
  peer.close();
});

triggerTest(
  "a peer that is gone is told once, at the end of the round",
  (trigger) => {
    using engine = new Engine({ trigger });
    const { peer, recorder } = open(engine, (connection) => {
      peer.reset();
      for (let index = 0; index < 10; index++) {
        assertEquals(connection.write(bytesOf("x")), 1);
      }
    });
    peer.send("go");
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log.filter((noted) => noted.startsWith("error")), [
      "error ECONNRESET",
    ]);
  },
);

countingTest(
  "writing nothing sends nothing, and no drain follows",
  (engine, counting) => {
    const { peer, recorder } = open(engine, (connection) => {
      assertEquals(connection.write(new Uint8Array(0)), 0);
      assertEquals(connection.writev([]), 0);
    });
    assertEquals(callsOf(engine, counting, peer, recorder), "");
    assertEquals(recorder.log, ["open", "data go"]);
    peer.close();
  },
);
