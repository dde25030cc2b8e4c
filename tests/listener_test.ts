/** Listening: accepting in batches, limits, closing, trouble with accepting. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import {
  check,
  ECONNABORTED,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPERM,
  F_GETFD,
  F_GETFL,
  fcntl,
  FD_CLOEXEC,
  O_NONBLOCK,
  pipe2,
  systemCalls,
} from "../ffi/mod.ts";
import {
  type Connection,
  type ConnectionHandlers,
  Engine,
  SystemError,
} from "../mod.ts";
import { openDescriptors } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  countingTest,
  engineTest,
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer, PeerListener } from "./support/net_peer.ts";

/** Connects so many clients that send their number. */
function crowd(port: number, count: number): Peer[] {
  return Array.from({ length: count }, (_, index) => {
    const peer = Peer.connect(port);
    peer.send(`${index}`);
    return peer;
  });
}

engineTest("port 0 picks a port, and localAddress tells it", (engine) => {
  const listener = engine.listen({}, {});
  assert(listener.port > 0);
  assertEquals(listener.localAddress, {
    family: "ipv4",
    host: "127.0.0.1",
    port: listener.port,
  });
  assert(listener.fd >= 0);
  assertEquals(listener.connections, 0);
});

for (const exclusive of [true, false]) {
  for (const acceptBatch of [1, 3, 64]) {
    engineTest(
      `all of a full backlog are accepted, ${acceptBatch} at a time, exclusive ${exclusive}`,
      (engine) => {
        const recorder = new Recorder();
        const options = { exclusive, acceptBatch, backlog: 128 };
        const listener = engine.listen(options, recorder.handlers());
        const peers = crowd(listener.port, 50);
        runUntil(engine, () => recorder.log.length === 100);
        assertEquals(listener.connections, 50);
        assertEquals(recorder.count("open"), 50);
        for (let index = 0; index < 50; index++) {
          assertEquals(recorder.count(`data ${index}`), 1);
        }
        for (const peer of peers) peer.close();
        runUntil(engine, () => recorder.count("close") === 50);
        assertEquals(listener.connections, 0);
      },
    );
  }
}

countingTest(
  "one client costs an accept4, one more to see that there are no others, and an ADD",
  (engine, counting) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    engine.commit();
    counting.reset();
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    assertEquals(counting.count("accept4"), 2);
    assertEquals(counting.count("epoll_ctl"), 1);
    assertEquals(counting.count("accept4", listener.fd), 2);
    peer.send("x");
  },
);

engineTest("accepted sockets are nonblocking and close-on-exec", (engine) => {
  const recorder = new Recorder();
  const listener = engine.listen({}, recorder.handlers());
  using _peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  for (const { fd } of [recorder.connection, listener]) {
    assertEquals(fcntl(fd, F_GETFD, 0) & FD_CLOEXEC, FD_CLOEXEC);
    assertEquals(fcntl(fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
  }
});

engineTest(
  "a client that is gone before it is accepted opens and fails, the next one is served",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    Peer.connect(listener.port).reset();
    using second = Peer.connect(listener.port);
    second.send("next");
    runUntil(engine, () => recorder.has("data next"));
    settle(engine);
    assertEquals(recorder.count("open"), 2);
    assertEquals(recorder.count("error ECONNRESET"), 1);
    assertEquals(recorder.count("close"), 1);
    assertEquals(listener.connections, 1);
  },
);

for (const exclusive of [true, false]) {
  engineTest(
    `connectionsMax holds, and one that closes makes room, exclusive ${exclusive}`,
    (engine) => {
      const recorder = new Recorder();
      let highest = 0;
      const listener = engine.listen(
        { connectionsMax: 2, exclusive },
        recorder.handlers({
          open: () => highest = Math.max(highest, listener.connections),
        }),
      );
      const peers = crowd(listener.port, 5);
      runUntil(engine, () => recorder.opened.length === 2);
      settle(engine);
      assertEquals(recorder.opened.length, 2);
      // Full, and more in the backlog: that must not keep the loop busy.
      const events = engine.metrics.events;
      engine.turn(5);
      assertEquals(engine.metrics.events, events);
      for (let served = 0; served < 5; served++) {
        runUntil(engine, () => recorder.opened.length > served);
        (recorder.opened[served] as Connection).close();
      }
      runUntil(engine, () => recorder.count("close") === 5);
      assertEquals(recorder.count("open"), 5);
      assertEquals(highest, 2);
      for (const peer of peers) peer.close();
    },
  );
}

engineTest(
  "closing in the open handler at connectionsMax 1 serves all, one by one",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      { connectionsMax: 1 },
      recorder.handlers({ open: (connection) => connection.close() }),
    );
    const peers = crowd(listener.port, 20);
    runUntil(engine, () => recorder.count("close") === 20);
    assertEquals(recorder.count("open"), 20);
    for (const peer of peers) peer.close();
  },
);

engineTest(
  "a listener closed in its own open handler resets those it has not accepted",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen(
      {},
      recorder.handlers({ open: () => listener.close() }),
    );
    const peers = crowd(listener.port, 4);
    runUntil(engine, () => recorder.has("open"));
    settle(engine);
    assertEquals(recorder.count("open"), 1);
    assertEquals(listener.fd, -1);
    const answers = peers.map((peer) => peer.receiveText());
    assertEquals(answers.toSorted(), [
      "EAGAIN",
      "ECONNRESET",
      "ECONNRESET",
      "ECONNRESET",
    ]);
    // What was accepted goes on.
    runUntil(engine, () => recorder.log.length === 2);
    assertEquals(recorder.connection.closed, false);
    for (const peer of peers) peer.close();
  },
);

engineTest("close() takes effect at once, twice does nothing", (engine) => {
  const before = openDescriptors().size;
  const listener = engine.listen({}, {});
  const { port } = listener;
  listener.close();
  listener.close();
  listener[Symbol.dispose]();
  assertEquals(listener.fd, -1);
  assertEquals(listener.port, port);
  assertEquals(openDescriptors().size, before);
  assertThrows(() => Peer.connect(port), SystemError, "ECONNREFUSED");
  engine.listen({ port }, {}).close();
});

engineTest(
  "a port is free again at once, though connections of it go on",
  (engine) => {
    const recorder = new Recorder();
    const first = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(first.port);
    runUntil(engine, () => recorder.has("open"));
    first.close();
    const second = engine.listen({ port: first.port }, recorder.handlers());
    using other = Peer.connect(second.port);
    other.send("other");
    peer.send("first");
    runUntil(engine, () => recorder.has("data first"));
    runUntil(engine, () => recorder.has("data other"));
  },
);

engineTest(
  "a port in use is EADDRINUSE with the address, and leaks nothing",
  (engine) => {
    using taken = new PeerListener();
    const before = openDescriptors().size;
    const error = assertThrows(
      () => engine.listen({ port: taken.port }, {}),
      SystemError,
    );
    assertEquals(error.code, "EADDRINUSE");
    assertEquals(error.address, `127.0.0.1:${taken.port}`);
    assert(["bind", "listen"].includes(error.syscall));
    assertEquals(openDescriptors().size, before);
  },
);

engineTest(
  "reusePort lets two listeners share a port, and both serve",
  (engine) => {
    const recorder = new Recorder();
    const first = engine.listen({ reusePort: true }, recorder.handlers());
    const { port } = first;
    const options = { port, reusePort: true };
    const second = engine.listen(options, recorder.handlers());
    const peers = crowd(port, 64);
    runUntil(engine, () => recorder.count("open") === 64);
    assertEquals(first.connections + second.connections, 64);
    assert(first.connections > 0 && second.connections > 0);
    assertThrows(() => engine.listen({ port }, {}), SystemError, "EADDRINUSE");
    for (const peer of peers) peer.close();
  },
);

engineTest(
  "an inherited listening socket is taken over, and closed with the listener",
  (engine) => {
    const socket = new PeerListener();
    const recorder = new Recorder();
    const listener = engine.listen({ fd: socket.fd }, recorder.handlers());
    assertEquals([listener.fd, listener.port], [socket.fd, socket.port]);
    assertEquals(fcntl(socket.fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
    using peer = Peer.connect(socket.port);
    peer.send("x");
    runUntil(engine, () => recorder.has("data x"));
    listener.close();
    assertEquals(openDescriptors().has(socket.fd), false);
  },
);

engineTest(
  "a descriptor that can't be listened on is refused and left alone",
  (engine) => {
    const pipe = new Int32Array(2);
    check(pipe2(pipe, 0), "pipe2");
    const [reader, writer] = [pipe[0] as number, pipe[1] as number];
    const error = assertThrows(
      () => engine.listen({ fd: reader }, {}),
      SystemError,
    );
    assertEquals(error.code, "ENOTSOCK");
    assertEquals(openDescriptors().has(reader), true);
    systemCalls.close(reader);
    systemCalls.close(writer);
    assertThrows(() => engine.listen({ fd: reader }, {}), SystemError, "EBADF");
    for (const fd of [-1, 0.5, NaN, 2 ** 31]) {
      assertThrows(() => engine.listen({ fd }, {}), RangeError);
    }
    const listener = engine.listen({}, {});
    const { fd } = listener;
    assertThrows(() => engine.listen({ fd }, {}), Error, `${fd}`);
    assertEquals(listener.fd, fd);
  },
);

engineTest(
  "options out of their range are refused, and nothing leaks",
  (engine) => {
    const before = openDescriptors().size;
    const wrong = {
      port: [-1, 65536, 1.5, NaN, Infinity],
      backlog: [-1, 0.5, NaN, 2 ** 31],
      acceptBatch: [0, -1, 0.5, NaN],
      connectionsMax: [0, -1, 0.5, NaN],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        assertThrows(
          () => engine.listen({ [name]: value }, {}),
          RangeError,
          name,
        );
      }
    }
    assertEquals(openDescriptors().size, before);
  },
);

engineTest("listen() on a closed engine throws EBADF", (engine) => {
  engine.close();
  const error = assertThrows(() => engine.listen({}, {}), SystemError);
  assertEquals(error.code, "EBADF");
});

/** An engine whose accept4 gives these results first. */
function failingAccept(
  trigger: "edge" | "level",
  results: number[],
  onError?: (error: unknown) => void,
): Engine {
  const calls = replacing({
    accept4: (fd, flags) => results.shift() ?? systemCalls.accept4(fd, flags),
  });
  const options = onError === undefined ? { trigger } : { trigger, onError };
  return new Engine(options, calls);
}

for (const exclusive of [true, false]) {
  triggerTest(
    `accepting rests while the process is out of descriptors, exclusive ${exclusive}`,
    (trigger) => {
      using engine = failingAccept(trigger, [
        -EMFILE,
        -ENFILE,
        -ENOBUFS,
        -ENOMEM,
      ]);
      const recorder = new Recorder();
      const listener = engine.listen({ exclusive }, recorder.handlers());
      const peers = crowd(listener.port, 3);
      const begin = performance.now();
      runUntil(engine, () => recorder.log.length === 6);
      // Four rests of 100 ms, in which the loop does not go round.
      assert(performance.now() - begin >= 400);
      assert(engine.metrics.events < 30, `${engine.metrics.events} events`);
      for (const peer of peers) peer.close();
    },
  );
}

triggerTest("a listener closed while it rests stays closed", (trigger) => {
  using engine = failingAccept(trigger, [-EMFILE]);
  const listener = engine.listen({}, {});
  using _peer = Peer.connect(listener.port);
  settle(engine);
  listener.close();
  let passed = false;
  engine.timer(120, () => passed = true);
  runUntil(engine, () => passed);
  assertEquals(listener.fd, -1);
});

triggerTest(
  "aborted connections are counted, interruptions are not",
  (trigger) => {
    using engine = failingAccept(trigger, [
      -ECONNABORTED,
      -EINTR,
      -ECONNABORTED,
    ]);
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using _peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    assertEquals(listener.aborted, 2);
  },
);

for (const exclusive of [true, false]) {
  triggerTest(
    `an error of accept4 goes to onError, and the listener goes on, exclusive ${exclusive}`,
    (trigger) => {
      const errors: unknown[] = [];
      using engine = failingAccept(
        trigger,
        [-EPERM],
        (error) => errors.push(error),
      );
      const recorder = new Recorder();
      const listener = engine.listen({ exclusive }, recorder.handlers());
      const peers = crowd(listener.port, 2);
      runUntil(engine, () => recorder.count("open") === 2);
      const [error] = errors;
      assertInstanceOf(error, SystemError);
      assertEquals([error.code, error.syscall], ["EPERM", "accept4"]);
      assertEquals(errors.length, 1);
      for (const peer of peers) peer.close();
    },
  );
}

engineTest("many clients come and go, and none is forgotten", (engine) => {
  const recorder = new Recorder();
  const own: ConnectionHandlers = {
    data: (connection, chunk) => void connection.write(chunk),
  };
  const listener = engine.listen({ acceptBatch: 7 }, recorder.handlers(own));
  for (let round = 0; round < 20; round++) {
    const peers = crowd(listener.port, 25);
    runUntil(engine, () => recorder.count("open") === (round + 1) * 25);
    settle(engine);
    peers.forEach((peer, index) => {
      assertEquals(peer.receiveText(), `${index}`);
      if (index % 3 === 0) peer.reset();
      else peer.close();
    });
    runUntil(engine, () => listener.connections === 0);
  }
  settle(engine);
  assertEquals(recorder.count("close"), 500);
  assertEquals(recorder.count("error ECONNRESET"), 20 * 9);
});

engineTest(
  "drain() accepts what is in the backlog, and no more than connectionsMax",
  (engine) => {
    for (
      const { connectionsMax, accepted } of [
        { connectionsMax: Infinity, accepted: 5 },
        { connectionsMax: 3, accepted: 3 },
      ]
    ) {
      const recorder = new Recorder();
      const listener = engine.listen({ connectionsMax }, recorder.handlers());
      const peers = crowd(listener.port, 5);
      listener.drain();
      assertEquals(listener.fd, -1);
      assertEquals(listener.connections, accepted);
      listener.drain();
      for (const peer of peers) peer.close();
      runUntil(engine, () => listener.connections === 0);
    }
  },
);
