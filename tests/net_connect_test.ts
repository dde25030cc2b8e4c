/** Connecting by name, to several addresses, for so long, until cancelled. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import {
  type Connection,
  Engine,
  type SocketAddress,
  SystemError,
} from "../mod.ts";
import { EMFILE } from "../ffi/mod.ts";
import { Connecting } from "../src/net/connect.ts";
import {
  Connection as RawConnection,
  NO_SOCKET,
} from "../src/net/connection.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  engineTest,
  Recorder,
  runUntil,
  settle,
  TRIGGERS,
} from "./support/net_engine.ts";
import {
  closedPort,
  loopback,
  Peer,
  PeerListener,
} from "./support/net_peer.ts";

/** What is said of a host that there is none of, or that nobody can ask about. */
const UNKNOWN = ["ENOTFOUND", "EAI_AGAIN"];
const NOBODY = "edgewise-nobody.invalid";

engineTest(
  "localhost is found, and what was written before is sent",
  (engine) => {
    using server = new PeerListener();
    const recorder = new Recorder();
    const options = { hostname: "localhost", port: server.port };
    const connection = engine.connect(options, recorder.handlers());
    assertEquals(connection.fd, -1);
    assertEquals(connection.localAddress, null);
    connection.write(bytesOf("hello"));
    runUntil(engine, () => recorder.has("drain"));
    using peer = server.accept();
    assertEquals(peer.receiveText(), "hello");
    assertEquals(connection.remoteAddress, loopback(server.port));
    assertEquals(recorder.log, ["open", "drain"]);
  },
);

for (const trigger of TRIGGERS) {
  test(`names are looked up in run() too (${trigger})`, () => {
    using server = new PeerListener();
    using engine = new Engine({ trigger });
    const log: string[] = [];
    const { port } = server;
    let left = 6;
    const ended = () => {
      if (--left === 0) engine.stop();
    };
    for (let count = 0; count < 6; count++) {
      engine.connect({ hostname: "localhost", port }, {
        open(connection) {
          log.push("open");
          connection.close();
        },
        close: ended,
      });
    }
    engine.run();
    assertEquals(log, new Array(6).fill("open"));
  });

  test(`names are looked up beside the runtime's loop (${trigger})`, async () => {
    using server = new PeerListener();
    using engine = new Engine({ trigger });
    const running = engine.start();
    const { promise, resolve } = Promise.withResolvers<Connection>();
    engine.connect({ hostname: "localhost", port: server.port }, {
      open: resolve,
    });
    (await promise).close();
    engine.stop();
    await running;
  });
}

engineTest(
  "a host that does not exist has one error with its name",
  (engine) => {
    const recorder = new Recorder();
    engine.connect({ hostname: NOBODY, port: 80 }, recorder.handlers());
    runUntil(engine, () => recorder.has("close"));
    const { error } = recorder;
    assertInstanceOf(error, SystemError);
    assert(UNKNOWN.includes(error.code), error.message);
    assertEquals([error.syscall, error.address], ["getaddrinfo", NOBODY]);
    assert(error.message.includes(NOBODY), error.message);
    assertEquals(recorder.log, [`error ${error.code}`, "close"]);
  },
);

engineTest(
  "a name that leads to nobody is refused with the address",
  (engine) => {
    const port = closedPort();
    const recorder = new Recorder();
    engine.connect({ hostname: "localhost", port }, recorder.handlers());
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["error ECONNREFUSED", "close"]);
    const address = recorder.error?.address ?? "";
    assert([`127.0.0.1:${port}`, `[::1]:${port}`].includes(address), address);
  },
);

engineTest("close() while a name is looked up gives one close", (engine) => {
  using server = new PeerListener();
  const options = { hostname: "localhost", port: server.port };
  const recorders = Array.from({ length: 9 }, () => new Recorder());
  // More than are looked up at a time: some have not begun.
  for (const recorder of recorders) {
    const connection = engine.connect(options, recorder.handlers());
    connection.write(bytesOf("never sent"));
    connection.close();
    connection.reset();
    connection.pause();
    connection.resume();
    connection.timeout(10);
  }
  const last = new Recorder();
  engine.connect(options, last.handlers());
  runUntil(engine, () => last.has("open"));
  settle(engine);
  for (const { log } of recorders) assertEquals(log, ["close"]);
});

engineTest(
  "engine.close() while names are looked up gives one close each",
  (engine) => {
    const recorder = new Recorder();
    for (let count = 0; count < 9; count++) {
      const options = { hostname: "localhost", port: 80 };
      engine.connect(options, recorder.handlers());
    }
    engine.close();
    assertEquals(recorder.log, new Array(9).fill("close"));
  },
);

test("a connect() by name without a descriptor throws, and leaves nothing", () => {
  using engine = new Engine({}, replacing({ eventfd: () => -EMFILE }));
  const before = openDescriptors().size;
  const aborter = new AbortController();
  const recorder = new Recorder();
  assertThrows(
    () =>
      engine.connect({
        hostname: "localhost",
        port: 80,
        timeoutMs: 1,
        signal: aborter.signal,
      }, recorder.handlers()),
    SystemError,
    "EMFILE",
  );
  aborter.abort();
  engine.turn(5);
  assertEquals(recorder.log, []);
  assertEquals(openDescriptors().size, before);
});

/** Connects to the first of several addresses that answers. */
function connectToAny(
  engine: Engine,
  recorder: Recorder,
  addresses: SocketAddress[],
  timeoutMs = Infinity,
): Connection {
  const { parts } = engine;
  const handlers = recorder.handlers();
  const shared = {
    parts,
    handlers,
    bufferMax: 1000,
    mergedMax: 0,
    readsWhole: true,
  };
  const connection = new RawConnection(shared, NO_SOCKET);
  const limits = { timeoutMs, signal: undefined };
  new Connecting(parts, connection, "several", limits).connectToAny(addresses);
  return connection;
}

engineTest(
  "several addresses are tried in turn, until one answers",
  (engine) => {
    using server = new PeerListener();
    const port = closedPort();
    const before = openDescriptors().size;
    const recorder = new Recorder();
    const connection = connectToAny(engine, recorder, [
      loopback(port),
      { family: "ipv6", host: "::1", port },
      { family: "ipv4", host: "255.255.255.255", port },
      loopback(server.port),
      loopback(port),
    ]);
    connection.write(bytesOf("found"));
    runUntil(engine, () => recorder.has("drain"));
    assertEquals(openDescriptors().size, before + 1);
    using peer = server.accept();
    assertEquals(peer.receiveText(), "found");
    assertEquals(connection.remoteAddress, loopback(server.port));
    assertEquals(recorder.log, ["open", "drain"]);
    connection.close();
  },
);

engineTest(
  "when no address answers, the last one's error is told",
  (engine) => {
    const port = closedPort();
    const before = openDescriptors().size;
    const recorder = new Recorder();
    connectToAny(engine, recorder, [
      loopback(port),
      { family: "ipv6", host: "::1", port },
    ]);
    runUntil(engine, () => recorder.has("close"));
    assertEquals(recorder.log, ["error ECONNREFUSED", "close"]);
    assertEquals(recorder.error?.address, `[::1]:${port}`);
    assertEquals(openDescriptors().size, before);
  },
);

/** A server that answers nobody any more: its backlog is full. */
class SilentServer extends PeerListener {
  readonly #inside: Peer[] = [];

  constructor(engine: Engine) {
    super(undefined, 0);
    for (;;) {
      const probe = engine.connect({ port: this.port }, {});
      let open = false;
      const deadline = performance.now() + 50;
      while (!open && performance.now() < deadline) {
        engine.turn(5);
        open = probe.tcpInfo().state === "ESTABLISHED";
      }
      if (!open) {
        probe.close();
        return;
      }
      this.#inside.push(new Peer(probe.detach()));
    }
  }

  override [Symbol.dispose](): void {
    for (const peer of this.#inside) peer.close();
    super[Symbol.dispose]();
  }
}

engineTest(
  "an address that does not answer leaves time for the next",
  (engine) => {
    using silent = new SilentServer(engine);
    using server = new PeerListener();
    const recorder = new Recorder();
    const addresses = [silent.address, server.address];
    connectToAny(engine, recorder, addresses, 400);
    runUntil(engine, () => recorder.log.length > 0);
    assertEquals(recorder.log, ["open"]);
    assertEquals(recorder.connection.remoteAddress, server.address);
    // The time for connecting is over, and does not matter any more.
    let passed = false;
    engine.timer(450, () => passed = true);
    runUntil(engine, () => passed);
    assertEquals(recorder.log, ["open"]);
    recorder.connection.close();
  },
);

engineTest(
  "a server that does not answer within timeoutMs is ETIMEDOUT",
  (engine) => {
    using silent = new SilentServer(engine);
    const { port } = silent;
    const before = openDescriptors().size;
    const begin = performance.now();
    const recorder = new Recorder();
    const connection = engine.connect(
      { port, timeoutMs: 50 },
      recorder.handlers(),
    );
    connection.write(bytesOf("never sent"));
    runUntil(engine, () => recorder.has("close"));
    assert(performance.now() - begin >= 49);
    assertEquals(recorder.log, ["error ETIMEDOUT", "close"]);
    const { error } = recorder;
    assertEquals([error?.syscall, error?.address], [
      "connect",
      `127.0.0.1:${port}`,
    ]);
    assertEquals(openDescriptors().size, before);
  },
);

engineTest("a lookup takes of timeoutMs, too", (engine) => {
  const recorder = new Recorder();
  const options = { hostname: NOBODY, port: 80, timeoutMs: 0 };
  engine.connect(options, recorder.handlers());
  runUntil(engine, () => recorder.has("close"));
  assertEquals(recorder.log, ["error ETIMEDOUT", "close"]);
  assertEquals(recorder.error?.address, `${NOBODY}:80`);
});

engineTest("an AbortSignal cancels until open, and not after", (engine) => {
  using server = new PeerListener();
  const cases = [{ port: server.port }, {
    hostname: "localhost",
    port: server.port,
  }];
  for (const options of cases) {
    const aborter = new AbortController();
    const { signal } = aborter;
    const cancelled = new Recorder();
    engine.connect({ ...options, signal }, cancelled.handlers());
    aborter.abort();
    settle(engine);
    assertEquals(cancelled.log, ["close"]);
    const aborted = { ...options, signal };
    assertThrows(() => engine.connect(aborted, {}), DOMException, "abort");

    const later = new AbortController();
    const opened = new Recorder();
    const connection = engine.connect(
      { ...options, signal: later.signal },
      opened.handlers(),
    );
    runUntil(engine, () => opened.has("open"));
    later.abort();
    settle(engine);
    assertEquals(opened.log, ["open"]);
    connection.close();
  }
});

engineTest("a timeout that is none is refused, and nothing leaks", (engine) => {
  const before = openDescriptors().size;
  for (const timeoutMs of [-1, NaN]) {
    assertThrows(
      () => engine.connect({ port: 1, timeoutMs }, {}),
      RangeError,
      `${timeoutMs}`,
    );
  }
  for (const port of [0, 65536, 1.5]) {
    const options = { hostname: "localhost", port };
    assertThrows(() => engine.connect(options, {}), RangeError, "port");
  }
  assertEquals(openDescriptors().size, before);
});
