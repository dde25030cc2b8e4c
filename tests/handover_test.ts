/** Taking a connection from one engine and giving it to another. */
import { assertEquals, assertThrows } from "@std/assert";
import { close } from "../ffi/mod.ts";
import { Engine, SystemError } from "../mod.ts";
import { openDescriptors } from "./support/descriptors.ts";
import { epollEntry } from "./support/fdinfo.ts";
import {
  bytesOf,
  engineTest,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { closedPort, Peer, PeerListener } from "./support/net_peer.ts";

/** A listener, one peer of it, and the connection between, open. */
function open(engine: Engine) {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers());
  const peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  settle(engine);
  return { recorder, listener, peer, connection: recorder.connection };
}

engineTest(
  "detach() leaves the descriptor open, and calls no handler any more",
  (engine) => {
    const { recorder, listener, connection, peer } = open(engine);
    const { fd } = connection;
    assertEquals(connection.detach(), fd);
    assertEquals(epollEntry(engine.fd, fd), undefined);
    assertEquals(openDescriptors().has(fd), true);
    assertEquals([connection.closed, connection.fd], [true, -1]);
    assertEquals(listener.connections, 0);
    peer.send("not for you");
    peer.finish();
    settle(engine);
    connection.close();
    engine.close();
    assertEquals(recorder.log, ["open"]);
    assertEquals(openDescriptors().has(fd), true);
    assertThrows(() => connection.write(bytesOf("x")), SystemError, "EPIPE");
    close(fd);
    peer.close();
  },
);

engineTest(
  "a connection goes to another engine with all that it has not read",
  (engine, trigger) => {
    const { connection, peer } = open(engine);
    using second = new Engine({
      trigger: trigger === "edge" ? "level" : "edge",
    });
    peer.send("before");
    engine.poll(20);
    const recorder = new Recorder();
    const adopted = second.adopt(
      connection.detach(),
      recorder.handlers({
        data: (connection, chunk) => void connection.write(chunk),
      }),
    );
    settle(engine);
    runUntil(second, () => recorder.has("data before"));
    peer.send("after");
    peer.finish();
    runUntil(second, () => recorder.has("close"));
    assertEquals(recorder.log.at(0), "open");
    assertEquals(recorder.log.slice(1).join(""), "data beforedata afterclose");
    assertEquals(peer.receiveText(), "beforeafter");
    assertEquals(adopted.closed, true);
    peer.close();
  },
);

engineTest("detach() in a data handler leaves the rest unread", (engine) => {
  const recorder = new Recorder();
  let fd = -1;
  const listener = engine.listen(
    {},
    recorder.handlers({ data: (connection) => fd = connection.detach() }),
  );
  using peer = Peer.connect(listener.port);
  peer.send("one");
  runUntil(engine, () => fd >= 0);
  peer.send("two");
  settle(engine);
  assertEquals(recorder.log, ["open", "data one"]);
  using taken = new Peer(fd);
  assertEquals(taken.receiveText(), "two");
});

engineTest(
  "detach() refuses while bytes are buffered, while connecting, and once closed",
  (engine) => {
    const { connection, peer } = open(engine);
    connection.write(new Uint8Array(16 * 1024 * 1024));
    const error = assertThrows(() => connection.detach(), Error);
    assertEquals(error.message.includes(`${connection.bufferedBytes}`), true);
    connection.close();
    assertThrows(() => connection.detach(), Error);
    using server = new PeerListener();
    const connecting = engine.connect({ port: server.port }, {});
    assertThrows(() => connecting.detach(), Error);
    const failing = engine.connect({ port: closedPort() }, {});
    runUntil(engine, () => failing.closed);
    assertThrows(() => failing.detach(), Error);
    peer.close();
  },
);

engineTest(
  "adopt() calls open first, in the next turn, and close alone if closed before",
  (engine) => {
    using server = new PeerListener();
    const connect = () => Peer.connect(server.port).fd;
    const recorder = new Recorder();
    const first = engine.adopt(connect(), recorder.handlers());
    assertEquals(recorder.log, []);
    using peer = server.accept();
    peer.send("x");
    runUntil(engine, () => recorder.has("data x"));
    first.close();
    settle(engine);
    assertEquals(recorder.log, ["open", "data x", "close"]);
    recorder.log.length = 0;
    engine.adopt(connect(), recorder.handlers()).close();
    settle(engine);
    assertEquals(recorder.log, ["close"]);
    recorder.log.length = 0;
    engine.adopt(connect(), recorder.handlers());
    engine.close();
    assertEquals(recorder.log, ["close"]);
  },
);

engineTest(
  "adopt() refuses what is no descriptor, or registered, and leaves it alone",
  (engine) => {
    for (const fd of [-1, 0.5, NaN]) {
      assertThrows(() => engine.adopt(fd, {}), RangeError);
    }
    const { connection, peer } = open(engine);
    const { fd } = connection;
    assertThrows(() => engine.adopt(fd, {}), Error, `${fd}`);
    connection.close();
    const error = assertThrows(() => engine.adopt(fd, {}), SystemError);
    assertEquals(error.code, "EBADF");
    peer.close();
  },
);
