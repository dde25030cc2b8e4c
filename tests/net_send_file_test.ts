/** Sending files by sendfile(2). */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import {
  closeSync,
  ftruncateSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  check,
  EINTR,
  O_CLOEXEC,
  O_RDONLY,
  open,
  systemCalls,
} from "../ffi/mod.ts";
import {
  type Connection,
  Engine,
  type SendFileOptions,
  SystemError,
} from "../mod.ts";
import { openDescriptors } from "./support/descriptors.ts";
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

/** Runs with the path of a new file. */
function withFile(content: Uint8Array, run: (path: string) => void): void {
  const directory = mkdtempSync(`${tmpdir()}/edgewise-`);
  try {
    const path = `${directory}/file`;
    writeFileSync(path, content);
    run(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What a peer gets of what `send` sends before it ends the connection. */
function received(
  engine: Engine,
  send: (connection: Connection) => void,
): Buffer {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers({ open: send }));
  const peer = Peer.connect(listener.port);
  const chunks: Uint8Array[] = [];
  runUntil(engine, () => {
    const chunk = peer.receive();
    if (typeof chunk !== "string") chunks.push(chunk);
    return chunk === "end";
  });
  peer.close();
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.error, null);
  listener.close();
  return Buffer.concat(chunks);
}

const CONTENT = pattern(30_000_000);

engineTest("a file of 30 MB arrives as it is", (engine) => {
  withFile(CONTENT, (path) => {
    const before = openDescriptors().size;
    const bytes = received(engine, (connection) => {
      connection.sendFile(path);
      connection.end();
    });
    assert(bytes.equals(CONTENT));
    assertEquals(openDescriptors().size, before);
  });
});

engineTest(
  "a part of a file arrives as it is, by path and by descriptor",
  (engine) => {
    const parts: SendFileOptions[] = [
      { offset: 12_345 },
      { length: 54_321 },
      { offset: 1, length: 1 },
      { offset: 29_999_999 },
      { offset: 30_000_000 },
      { length: 0 },
      { offset: 40_000_000 },
    ];
    withFile(CONTENT, (path) => {
      const fd = openSync(path, "r");
      for (const part of parts) {
        const { offset = 0, length = CONTENT.length } = part;
        const expected = CONTENT.subarray(offset, offset + length);
        for (const file of [path, fd]) {
          const bytes = received(engine, (connection) => {
            connection.sendFile(file, part);
            connection.end();
          });
          assert(bytes.equals(expected), JSON.stringify(part));
        }
      }
      closeSync(fd);
    });
  },
);

engineTest("a part that lies past 2 GiB, and past 4 GiB", (engine) => {
  withFile(new Uint8Array(0), (path) => {
    const fd = openSync(path, "r+");
    // A file with holes takes no room on the disk.
    ftruncateSync(fd, 5 * 2 ** 30);
    for (const offset of [2 ** 31 + 7, 2 ** 32 + 11]) {
      const part = pattern(200_000, offset);
      writeSync(fd, part, 0, part.length, offset);
      const bytes = received(engine, (connection) => {
        connection.sendFile(path, { offset, length: part.length });
        connection.end();
      });
      assert(bytes.equals(part), `${offset}`);
    }
    closeSync(fd);
  });
});

engineTest("files and writes keep their order", (engine) => {
  withFile(CONTENT, (path) => {
    const bytes = received(engine, (connection) => {
      connection.write(bytesOf("head "));
      connection.sendFile(path, { length: 9_000_000 });
      assertEquals(connection.write(bytesOf(" between ")), 9);
      connection.sendFile(path, { offset: 5, length: 20 });
      connection.writev([bytesOf(" the "), bytesOf("end")]);
      connection.end();
    });
    const expected = Buffer.concat([
      bytesOf("head "),
      CONTENT.subarray(0, 9_000_000),
      bytesOf(" between "),
      CONTENT.subarray(5, 25),
      bytesOf(" the end"),
    ]);
    assert(bytes.equals(expected));
  });
});

countingTest(
  "a small file is one sendfile, and none of it comes into the process",
  (engine, counting) => {
    withFile(pattern(1000), (path) => {
      const recorder = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      using peer = Peer.connect(listener.port);
      runUntil(engine, () => recorder.has("open"));
      counting.reset();
      assertEquals(recorder.connection.sendFile(path), true);
      assertEquals(recorder.connection.bufferedBytes, 0);
      const made = counting.log.map(({ name }) => name);
      assertEquals(made, ["open", "statx", "sendfile", "close"]);
      assertEquals(peer.receiveText().length > 0, true);
      settle(engine);
      assertEquals(recorder.log, ["open"]);
    });
  },
);

engineTest("drain tells that a descriptor is not needed any more", (engine) => {
  withFile(CONTENT, (path) => {
    const fd = openSync(path, "r");
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const { connection } = recorder;
    assertEquals(connection.sendFile(fd), false);
    assertThrows(() => connection.detach(), Error, "file");
    let bytes = 0;
    runUntil(engine, () => {
      bytes += peer.drain().bytes;
      return recorder.has("drain");
    });
    closeSync(fd);
    bytes += peer.drain().bytes;
    runUntil(engine, () => (bytes += peer.drain().bytes) === CONTENT.length);
    assertEquals(recorder.count("drain"), 1);
  });
});

engineTest(
  "sendFile() while connecting is sent after what was written",
  (engine) => {
    withFile(bytesOf("file"), (path) => {
      using server = new PeerListener();
      const recorder = new Recorder();
      const connection = engine.connect(
        { port: server.port },
        recorder.handlers(),
      );
      connection.write(bytesOf("<"));
      assertEquals(connection.sendFile(path), false);
      connection.end(bytesOf(">"));
      runUntil(engine, () => recorder.has("open"));
      settle(engine);
      using peer = server.accept();
      runUntil(engine, () => peer.receiveText() === "<file>");
      assertEquals(peer.receiveText(), "end");
    });
  },
);

engineTest("closing while a file is sent closes it", (engine) => {
  withFile(CONTENT, (path) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const before = openDescriptors().size;
    recorder.connection.sendFile(path);
    recorder.connection.sendFile(path);
    assertEquals(openDescriptors().size, before + 2);
    recorder.connection.close();
    settle(engine);
    assertEquals(openDescriptors().size, before - 1);
    assertEquals(recorder.log, ["open", "close"]);
    peer.drain();
  });
});

engineTest(
  "a file that shrinks resets its connection with ENODATA, and no other",
  (engine) => {
    withFile(CONTENT, (path) => {
      const recorder = new Recorder();
      const others = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      const other = engine.listen(
        {},
        others.handlers({ data: (each, chunk) => void each.write(chunk) }),
      );
      using peer = Peer.connect(listener.port);
      using bystander = Peer.connect(other.port);
      runUntil(engine, () => recorder.has("open") && others.has("open"));
      const before = openDescriptors().size;
      assertEquals(recorder.connection.sendFile(path), false);
      truncateSync(path, 20_000_000);
      let ends = "";
      let bytes = 0;
      const drain = () => {
        const got = peer.drain();
        bytes += got.bytes;
        // The kernel tells of a reset once.
        if (got.then !== "EAGAIN") ends ||= got.then;
      };
      runUntil(engine, () => {
        drain();
        return recorder.has("close");
      });
      const { error } = recorder;
      assertInstanceOf(error, SystemError);
      assertEquals([error.code, error.syscall], ["ENODATA", "sendfile"]);
      for (const part of [path, "20000000", "30000000"]) {
        assert(error.message.includes(part), error.message);
      }
      assertEquals(recorder.log, ["open", "error ENODATA", "close"]);
      runUntil(engine, () => {
        drain();
        return ends !== "";
      });
      assertEquals(ends, "ECONNRESET");
      assert(bytes <= 20_000_000);
      // The file and the connection are closed.
      assertEquals(openDescriptors().size, before - 1);
      bystander.send("unharmed");
      runUntil(engine, () => others.has("data unharmed"));
    });
  },
);

engineTest(
  "what can't be sent is refused with what it is, and nothing leaks",
  (engine) => {
    withFile(pattern(100), (path) => {
      const recorder = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      using peer = Peer.connect(listener.port);
      runUntil(engine, () => recorder.has("open"));
      const { connection } = recorder;
      const before = openDescriptors().size;
      const refused: [string | number, string][] = [
        [`${path}.missing`, "ENOENT"],
        ["/tmp", "EISDIR"],
        ["/dev/null", "EINVAL"],
        [connection.fd, "EINVAL"],
        [987_654, "EBADF"],
      ];
      for (const [file, code] of refused) {
        const error = assertThrows(
          () => connection.sendFile(file),
          SystemError,
        );
        assertEquals(error.code, code);
        assert(error.message.includes(`${file}`), error.message);
      }
      for (const file of [-1, 1.5, NaN]) {
        assertThrows(() => connection.sendFile(file), RangeError, "file");
      }
      const parts = [
        { offset: -1 },
        { offset: 0.5 },
        { length: NaN },
        { length: -1 },
        { length: 101 },
        { offset: 50, length: 51 },
        { offset: 101, length: 1 },
      ];
      for (const part of parts) {
        assertThrows(() => connection.sendFile(path, part), RangeError);
      }
      assertEquals(openDescriptors().size, before);
      // The connection is as it was.
      connection.write(bytesOf("fine"));
      assertEquals(peer.receiveText(), "fine");
      connection.end();
      assertThrows(() => connection.sendFile(path), SystemError, "EPIPE");
      assertEquals(openDescriptors().size, before);
    });
  },
);

triggerTest("sendfile(2) is tried again after an interruption", (trigger) => {
  let interruptions = 0;
  const calls = replacing({
    sendfile(outFd, inFd, offset, count) {
      if (interruptions++ % 2 === 0) return -EINTR;
      return systemCalls.sendfile(outFd, inFd, offset, Math.min(count, 999));
    },
  });
  using engine = new Engine({ trigger }, calls);
  withFile(CONTENT.subarray(0, 100_000), (path) => {
    const bytes = received(engine, (connection) => {
      connection.sendFile(path);
      connection.end();
    });
    assert(bytes.equals(CONTENT.subarray(0, 100_000)));
  });
});

engineTest("a large file does not hold others up", (engine) => {
  withFile(CONTENT, (path) => {
    const recorder = new Recorder();
    const large = engine.listen({}, {
      open(connection) {
        for (let count = 0; count < 5; count++) connection.sendFile(path);
      },
    });
    const small = engine.listen(
      {},
      recorder.handlers({
        data: (connection, chunk) => void connection.write(chunk),
      }),
    );
    using slow = Peer.connect(large.port);
    using quick = Peer.connect(small.port);
    let bytes = 0;
    let round = 0;
    runUntil(engine, () => {
      quick.trySend("x");
      bytes += slow.drain().bytes;
      if (quick.receiveText() !== "EAGAIN") round++;
      return bytes === 5 * CONTENT.length;
    });
    assert(round > 20, `${round} rounds`);
  });
});

engineTest(
  "a descriptor that is given away is closed, whatever comes of it",
  (engine) => {
    withFile(pattern(3_000_000), (path) => {
      const owned = () =>
        [...openDescriptors().values()].filter((to) => to === path);
      const recorder = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      const give = (connection: Connection, options: SendFileOptions = {}) =>
        connection.sendFile(check(open(path, O_RDONLY | O_CLOEXEC), "open"), {
          ...options,
          close: true,
        });
      for (const how of ["sent", "refused", "closed", "ended"]) {
        using peer = Peer.connect(listener.port);
        runUntil(engine, () => recorder.opened.length > 0);
        const connection = recorder.opened.pop() as Connection;
        switch (how) {
          case "sent":
            give(connection);
            runUntil(engine, () => {
              peer.drain();
              return owned().length === 0;
            });
            break;
          case "refused":
            assertThrows(
              () => give(connection, { length: 3_000_001 }),
              RangeError,
            );
            break;
          case "closed":
            give(connection);
            connection.close();
            assertThrows(() => give(connection), SystemError, "EPIPE");
            break;
          case "ended":
            connection.end();
            assertThrows(() => give(connection), SystemError, "EPIPE");
        }
        assertEquals(owned(), [], how);
        connection.close();
        settle(engine);
      }
    });
  },
);
