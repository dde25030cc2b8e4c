/** Writes that the kernel does not take at once: kept, bounded, in order. */
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Connection, ConnectionHandlers, Engine } from "../mod.ts";
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

/** More than the kernel takes for a peer that does not read. */
const PLENTY = 16 * 1024 * 1024;

/** A listener, one peer of it, and the connection between, open. */
function open(
  engine: Engine,
  options: { bufferMax?: number },
  own: ConnectionHandlers = {},
) {
  const recorder = new Recorder();
  const listener = engine.listen(options, recorder.handlers(own));
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  return { recorder, peer, connection: recorder.connection };
}

/** Whether a received chunk is what was sent at that place. */
function same(chunk: Uint8Array, sent: Uint8Array, offset: number): boolean {
  const expected = sent.subarray(offset, offset + chunk.length);
  return Buffer.compare(chunk, expected) === 0;
}

for (const bufferMax of [0, 1, 1000, undefined, PLENTY]) {
  const limit = bufferMax ?? 256 * 1024;
  engineTest(
    `write() accepts what is sent and ${limit} bytes more`,
    (engine) => {
      const options = bufferMax === undefined ? {} : { bufferMax };
      const { recorder, peer, connection } = open(engine, options);
      const sent = pattern(PLENTY);
      const accepted = connection.write(sent);
      assertGreater(accepted, limit === 0 ? 1 : 0);
      if (bufferMax === PLENTY) assertEquals(accepted, PLENTY);
      else assertEquals(connection.bufferedBytes, limit);
      assert(connection.bufferedBytes <= limit);
      // Full is full, until there is room again.
      if (accepted < PLENTY) assertEquals(connection.write(sent), 0);
      assertEquals(connection.bufferedBytes <= limit, true);
      let received = 0;
      runUntil(engine, () => {
        const chunk = peer.receive();
        if (typeof chunk !== "string") {
          assertEquals(same(chunk, sent, received), true);
          received += chunk.length;
        }
        return received === accepted && recorder.has("drain");
      });
      assertEquals(connection.bufferedBytes, 0);
      settle(engine);
      assertEquals(peer.receiveText(), "EAGAIN");
      assertEquals(recorder.log, ["open", "drain"]);
      assertEquals(connection.write(bytesOf("more")), 4);
      peer.close();
    },
  );
}

engineTest(
  "drain comes with an empty buffer, once for each time that it filled",
  (engine) => {
    const buffered: number[] = [];
    const { peer, connection } = open(engine, {}, {
      drain: (connection) => buffered.push(connection.bufferedBytes),
    });
    connection.write(bytesOf("small"));
    settle(engine);
    assertEquals(buffered, []);
    for (let round = 1; round <= 3; round++) {
      connection.write(new Uint8Array(PLENTY));
      runUntil(engine, () => {
        peer.drain();
        return buffered.length === round;
      });
      settle(engine);
    }
    assertEquals(buffered, [0, 0, 0]);
    peer.close();
  },
);

for (const bufferMax of [0, 1000, 256 * 1024]) {
  engineTest(
    `offering the rest at drain sends all, in order, with a buffer of ${bufferMax}`,
    (engine) => {
      const sent = pattern(PLENTY);
      let offered = 0;
      const { peer, connection } = open(engine, { bufferMax }, {
        drain: (connection) => offer(connection),
      });
      const offer = (connection: Connection) => {
        while (offered < sent.length) {
          const accepted = connection.write(sent.subarray(offered));
          offered += accepted;
          assert(connection.bufferedBytes <= bufferMax);
          if (accepted === 0) return;
        }
      };
      offer(connection);
      let received = 0;
      runUntil(engine, () => {
        const chunk = peer.receive(100_000);
        if (typeof chunk !== "string") {
          assertEquals(same(chunk, sent, received), true);
          received += chunk.length;
        }
        return received === sent.length;
      });
      peer.close();
    },
  );
}

engineTest("what is written behind a full buffer keeps its order", (engine) => {
  const { peer, connection } = open(engine, { bufferMax: 2 * PLENTY });
  const parts = [pattern(PLENTY, 1), pattern(100, 2), pattern(70_000, 3)];
  for (const part of parts) assertEquals(connection.write(part), part.length);
  const sent = Buffer.concat(parts);
  let received = 0;
  runUntil(engine, () => {
    const chunk = peer.receive();
    if (typeof chunk !== "string") {
      assertEquals(same(chunk, sent, received), true);
      received += chunk.length;
    }
    return received === sent.length;
  });
  peer.close();
});

engineTest(
  "a backlog of many writes goes out whole, though one event is not for all of it",
  (engine) => {
    const { recorder, peer, connection } = open(engine, { bufferMax: PLENTY });
    const part = new Uint8Array(10_000);
    let accepted = 0;
    for (let count = 0; count === 0 || count === part.length;) {
      count = connection.write(part);
      accepted += count;
    }
    assertEquals(connection.bufferedBytes, PLENTY);
    let received = 0;
    while (received < accepted) {
      received += peer.drain().bytes;
      // All has been read: what is sent from here on, the engine sends unasked.
      const before = received;
      runUntil(engine, () => {
        received += peer.drain().bytes;
        return received > before;
      });
    }
    runUntil(engine, () => recorder.has("drain"));
    assertEquals(received, accepted);
    peer.close();
  },
);

engineTest("what was buffered is a copy", (engine) => {
  const { peer, connection } = open(engine, { bufferMax: PLENTY });
  const sent = pattern(PLENTY);
  const offered = sent.slice();
  connection.write(offered);
  offered.fill(0);
  let received = 0;
  runUntil(engine, () => {
    const chunk = peer.receive();
    if (typeof chunk !== "string") {
      assertEquals(same(chunk, sent, received), true);
      received += chunk.length;
    }
    return received === sent.length;
  });
  peer.close();
});

engineTest("close() with a backlog drops it, without drain", (engine) => {
  const { recorder, peer, connection } = open(engine, {});
  connection.write(new Uint8Array(PLENTY));
  connection.close();
  assertEquals(connection.bufferedBytes, 0);
  peer.drain();
  settle(engine);
  assertEquals(recorder.log, ["open", "close"]);
  peer.close();
});

engineTest(
  "an RST with a backlog is told by one error, and drops it",
  (engine) => {
    const { recorder, peer, connection } = open(engine, {});
    connection.write(new Uint8Array(PLENTY));
    peer.reset();
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["open", "error ECONNRESET", "close"]);
    assertEquals(connection.bufferedBytes, 0);
    assertEquals(connection.write(bytesOf("x")), 0);
  },
);

countingTest(
  "many small writes to a slow reader go out in few sends",
  (engine, counting) => {
    const { peer, connection } = open(engine, {});
    connection.write(new Uint8Array(PLENTY));
    runUntil(engine, () => {
      peer.receive(200_000);
      return connection.bufferedBytes === 0;
    });
    // The kernel is full, or nearly so, and the buffer is empty.
    while (connection.bufferedBytes === 0) {
      connection.write(
        new Uint8Array(1000),
      );
    }
    const small = bytesOf("0123456789");
    let count = 0;
    while (connection.write(small) === small.length) count++;
    assertGreater(count, 20_000);
    counting.reset();
    runUntil(engine, () => {
      peer.drain();
      return connection.bufferedBytes === 0;
    });
    assert(counting.count("send") < 1000, `${counting.count("send")} sends`);
    peer.close();
  },
);

countingTest(
  "a backlog goes out in portions, between which others have their turn",
  (engine, counting) => {
    const { peer, connection } = open(engine, { bufferMax: PLENTY });
    const part = new Uint8Array(10_000);
    while (connection.write(part) === part.length);
    peer.drain();
    counting.reset();
    runUntil(engine, () => counting.count("send") > 0);
    settle(engine);
    let portion = 0;
    let largest = 0;
    for (const { name, result } of counting.log) {
      if (name.startsWith("epoll_")) portion = 0;
      if (name === "send") portion += Math.max(result as number, 0);
      largest = Math.max(largest, portion);
    }
    assert(largest < 2 * 1024 * 1024, `${largest} bytes in one go`);
    peer.close();
  },
);

engineTest(
  "3 × 41 MB come back whole from an echo server, shut down at drain",
  (engine) => {
    const parts = [1, 2, 3].map((seed) => pattern(41_000_000, seed));
    const total = 3 * 41_000_000;
    let highest = 0;
    const listener = engine.listen({}, {
      data: echo,
      drain(connection) {
        const rest = connection.context as Uint8Array;
        connection.context = undefined;
        if (rest === undefined || echo(connection, rest)) connection.resume();
      },
      end: (connection) => connection.end(),
    });
    function echo(connection: Connection, chunk: Uint8Array): boolean {
      const accepted = connection.write(chunk);
      highest = Math.max(highest, connection.bufferedBytes);
      if (accepted === chunk.length) return true;
      connection.context = chunk.slice(accepted);
      connection.pause();
      return false;
    }
    const log: string[] = [];
    let received = 0;
    let wrong = 0;
    engine.connect({ port: listener.port, bufferMax: total }, {
      open(connection) {
        for (const part of parts) {
          assertEquals(connection.write(part), part.length);
        }
      },
      data(_, chunk) {
        for (let done = 0; done < chunk.length;) {
          const part = parts[Math.floor(received / 41_000_000)] as Uint8Array;
          const offset = received % 41_000_000;
          const length = Math.min(chunk.length - done, part.length - offset);
          if (!same(chunk.subarray(done, done + length), part, offset)) wrong++;
          done += length;
          received += length;
        }
      },
      drain(connection) {
        log.push(`drain ${connection.bufferedBytes}`);
        connection.shutdown();
      },
      end: () => log.push("end"),
      close: () => log.push("close"),
      error: (_, error) => log.push(error.message),
    });
    runUntil(engine, () => log.includes("close"));
    assertEquals([received, wrong], [total, 0]);
    assertEquals(log, ["drain 0", "end", "close"]);
    assert(highest <= 256 * 1024);
  },
);

engineTest("bufferMax out of its range is refused", (engine) => {
  for (const bufferMax of [-1, 0.5, NaN, Infinity, 2 ** 31]) {
    assertThrows(() => engine.listen({ bufferMax }, {}), RangeError);
    assertThrows(() => engine.connect({ port: 1, bufferMax }, {}), RangeError);
  }
});
