/** Writing several chunks with one system call. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { EAGAIN, EINTR, systemCalls } from "../ffi/mod.ts";
import { type Connection, Engine, SystemError } from "../mod.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  pattern,
  receive,
  Recorder,
  runUntil,
  triggerTest,
} from "./support/net_engine.ts";
import { closedPort, Peer, PeerListener } from "./support/net_peer.ts";

/** A connection of the engine's and its peer. */
function open(engine: Engine, bufferMax = 256 * 1024) {
  const recorder = new Recorder();
  const listener = engine.listen({ bufferMax }, recorder.handlers());
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  return { recorder, peer, connection: recorder.connection };
}

const TEXTS = ["HTTP/1.1 200 OK\r\n", "", "Content-Length: 5\r\n\r\n", "hello"];

countingTest("writev() of several chunks is one call", (engine, counting) => {
  const { peer, connection } = open(engine);
  counting.reset();
  const chunks = TEXTS.map(bytesOf);
  const whole = TEXTS.join("");
  assertEquals(connection.writev(chunks), whole.length);
  assertEquals(counting.log.map(({ name }) => name), ["writev"]);
  assertEquals(peer.receiveText(), whole);
  peer.close();
});

countingTest(
  "writev() of 3000 chunks is a call for each 1024 of them",
  (engine, counting) => {
    const { peer, connection } = open(engine);
    counting.reset();
    const chunks = Array.from(
      { length: 3000 },
      (_, index) => bytesOf(`${index};`),
    );
    const whole = Buffer.concat(chunks);
    assertEquals(connection.writev(chunks), whole.length);
    assertEquals(counting.count("writev"), 3);
    assertEquals(counting.count("send"), 0);
    assert(receive(engine, peer, whole.length).equals(whole));
    peer.close();
  },
);

engineTest("writev() of nothing accepts nothing", (engine) => {
  const { peer, connection } = open(engine);
  assertEquals(connection.writev([]), 0);
  assertEquals(connection.writev([new Uint8Array(0), new Uint8Array(0)]), 0);
  assertEquals(connection.bufferedBytes, 0);
  peer.close();
});

for (const bufferMax of [0, 1000, 64 * 1024 * 1024]) {
  engineTest(
    `what writev() is not rid of at once is offered again, bufferMax ${bufferMax}`,
    (engine) => {
      const sent = pattern(24_000_000);
      const chunks: Uint8Array[] = [];
      let size = 1;
      for (let at = 0; at < sent.length; at += size) {
        size = size * 3 % 65521;
        chunks.push(sent.subarray(at, at + size));
      }
      /** Offers what follows the first `offered` bytes, in the same pieces. */
      const rest = (offered: number) => {
        let at = 0;
        return chunks.flatMap((chunk) => {
          const start = Math.max(0, Math.min(chunk.length, offered - at));
          at += chunk.length;
          return start === chunk.length ? [] : [chunk.subarray(start)];
        });
      };
      let offered = 0;
      const offer = (connection: Connection) => {
        offered += connection.writev(rest(offered));
        assert(connection.bufferedBytes <= bufferMax);
      };
      const recorder = new Recorder();
      const own = { open: offer, drain: offer };
      const listener = engine.listen({ bufferMax }, recorder.handlers(own));
      const peer = Peer.connect(listener.port);
      assert(receive(engine, peer, sent.length).equals(sent));
      runUntil(engine, () => offered === sent.length);
      assertEquals(recorder.connection.bufferedBytes, 0);
      peer.close();
    },
  );
}

engineTest("writes and writev() keep their order", (engine) => {
  const { peer, connection } = open(engine, 64 * 1024 * 1024);
  const large = pattern(9_000_000);
  connection.write(bytesOf("first "));
  connection.writev([bytesOf("second "), large, bytesOf(" third")]);
  connection.write(bytesOf(" fourth"));
  connection.writev([bytesOf(" fifth"), bytesOf(" sixth")]);
  const whole = Buffer.concat([
    bytesOf("first second "),
    large,
    bytesOf(" third fourth fifth sixth"),
  ]);
  assert(receive(engine, peer, whole.length).equals(whole));
  peer.close();
});

engineTest(
  "writev() while connecting is buffered, and sent first",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const connection = engine.connect(
      { port: server.port },
      recorder.handlers(),
    );
    assertEquals(connection.writev([bytesOf("ab"), bytesOf("c")]), 3);
    assertEquals(connection.bufferedBytes, 3);
    runUntil(engine, () => recorder.has("drain"));
    using peer = server.accept();
    assertEquals(peer.receiveText(), "abc");
  },
);

triggerTest("writev() is tried again after an interruption", (trigger) => {
  const results = [-EINTR, 3, -EINTR, -EAGAIN];
  const calls = replacing({
    writev(fd, chunks, count) {
      const result = results.shift();
      if (result === undefined) return systemCalls.writev(fd, chunks, count);
      if (result > 0) {
        return systemCalls.write(fd, chunks[0].subarray(0, result));
      }
      return result;
    },
  });
  using engine = new Engine({ trigger }, calls);
  const { peer, connection } = open(engine);
  assertEquals(connection.writev([bytesOf("0123"), bytesOf("4567")]), 8);
  assert(receive(engine, peer, 8).equals(bytesOf("01234567")));
  peer.close();
});

engineTest(
  "writev() to a peer that is gone fails once, then takes nothing",
  (engine) => {
    const { recorder, peer, connection } = open(engine);
    peer.reset();
    runUntil(engine, () => {
      if (!recorder.has("close")) {
        connection.writev([bytesOf("a"), bytesOf("b")]);
      }
      return recorder.has("close");
    });
    const errors = recorder.log.filter((what) => what.startsWith("error"));
    assertEquals(errors.length, 1);
    assertEquals(connection.writev([bytesOf("a")]), 0);
  },
);

engineTest("writev() after end() and close() is EPIPE", (engine) => {
  const { peer, connection } = open(engine);
  connection.end();
  assertThrows(() => connection.writev([bytesOf("x")]), SystemError, "EPIPE");
  connection.close();
  assertThrows(() => connection.writev([bytesOf("x")]), SystemError, "EPIPE");
  const refused = engine.connect({ port: closedPort() }, {});
  runUntil(engine, () => refused.closed);
  assertEquals(refused.writev([bytesOf("x")]), 0);
  peer.close();
});

countingTest(
  "a write of 40 MB to a peer that reads stops in between, so that others are served",
  (engine, counting) => {
    const sent = pattern(40_000_000);
    const { recorder, peer, connection } = open(engine, 0);
    // The kernel takes everything, as for a peer that is as fast.
    const calls = replacing({
      send: (_fd, bytes) => Math.min(bytes.length, 1_000_000),
    });
    using fast = new Engine({}, calls);
    const other = fast.adopt(connection.detach(), {}, { bufferMax: 0 });
    const accepted = other.write(sent);
    assert(accepted < sent.length && accepted >= 8_000_000, `${accepted}`);
    assertEquals(recorder.count("close"), 0);
    assertEquals(counting.count("close"), 0);
    other.close();
    peer.close();
  },
);
