/** Where one can listen and connect, and what is said of where one can't. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { rmSync } from "node:fs";
import { Engine, type ListenOptions, SystemError } from "../mod.ts";
import { EACCES, type SocketAddress } from "../ffi/mod.ts";
import { openDescriptors } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  engineTest,
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { closedPort, Peer, PeerListener } from "./support/net_peer.ts";

/** Runs with a new directory, and removes it. */
function inDirectory(run: (path: string) => void): void {
  const path = Deno.makeTempDirSync({ prefix: "edgewise-" });
  try {
    run(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}

/** Exchanges a message over an address, both sides in the engine. */
function exchange(
  engine: Engine,
  options: ListenOptions,
): { listens: SocketAddress; local: unknown; remote: unknown } {
  const server = new Recorder();
  const client = new Recorder();
  let local: unknown;
  let remote: unknown;
  const listener = engine.listen(
    options,
    server.handlers({
      open(connection) {
        local = connection.localAddress;
        remote = connection.remoteAddress;
      },
      data: (connection, chunk) => void connection.write(chunk),
    }),
  );
  const { port } = listener;
  const connection = engine.connect(
    port === 0 ? options : { ...options, port },
    client.handlers({
      open: (connection) => void connection.write(bytesOf("hello")),
    }),
  );
  runUntil(engine, () => client.has("data hello"));
  // What one side calls remote is what the other calls local.
  assertEquals(connection.remoteAddress, local as SocketAddress);
  assertEquals(connection.localAddress, remote as SocketAddress);
  connection.close();
  runUntil(engine, () => server.has("close"));
  // Addresses that were asked for are remembered.
  assertEquals(connection.remoteAddress, local as SocketAddress);
  assertEquals(server.connection.remoteAddress, remote as SocketAddress);
  listener.close();
  return { listens: listener.localAddress, local, remote };
}

for (const hostname of ["127.0.0.1", "127.1.2.3", "0.0.0.0"]) {
  engineTest(`IPv4, ${hostname}`, (engine) => {
    const { listens, local } = exchange(engine, { hostname });
    assert("port" in listens && listens.port > 0);
    assertEquals([listens.family, listens.host], ["ipv4", hostname]);
    const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname;
    assertEquals(local, { family: "ipv4", host, port: listens.port });
  });
}

for (const hostname of ["::1", "::", "0:0:0:0:0:0:0:1"]) {
  engineTest(`IPv6, ${hostname}`, (engine) => {
    const { listens, local } = exchange(engine, { hostname });
    assert("port" in listens && listens.port > 0);
    const host = hostname === "::" ? "::" : "::1";
    assertEquals([listens.family, listens.host], ["ipv6", host]);
    assert(typeof local === "object" && local !== null && "host" in local);
    assertEquals(local.host, "::1");
  });
}

engineTest(
  "an IPv4 client of an IPv6 wildcard has a mapped address",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({ hostname: "::" }, recorder.handlers());
    using _peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const { remoteAddress } = recorder.connection;
    assert(remoteAddress !== null && "host" in remoteAddress);
    assertEquals(remoteAddress.family, "ipv6");
    assertEquals(remoteAddress.host, "::ffff:127.0.0.1");
  },
);

engineTest("a unix path", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    const { listens, local, remote } = exchange(engine, { path });
    assertEquals(listens, { family: "unix", path });
    assertEquals(local, { family: "unix", path });
    assertEquals(remote, { family: "unix-unnamed" });
  });
});

engineTest(
  "a unix path of the greatest length, and one with other than ASCII",
  (engine) => {
    inDirectory((directory) => {
      const long = `${directory}/${"x".repeat(107 - directory.length - 1)}`;
      assertEquals(long.length, 107);
      for (const path of [long, `${directory}/Dürer ☃`]) {
        assertEquals(exchange(engine, { path }).listens, {
          family: "unix",
          path,
        });
      }
    });
  },
);

engineTest("an abstract unix name", (engine) => {
  const name = `edgewise-${Deno.pid}-☃`;
  const { listens, local } = exchange(engine, { path: `\0${name}` });
  assertEquals(listens, { family: "unix-abstract", name });
  assertEquals(local, { family: "unix-abstract", name });
});

engineTest("the port of a unix listener is 0", (engine) => {
  const path = `\0edgewise-${Deno.pid}-port`;
  assertEquals(engine.listen({ path }, {}).port, 0);
});

engineTest(
  "an address that was never asked for is null once the connection is closed",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using _peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    recorder.connection.close();
    assertEquals(recorder.connection.localAddress, null);
    assertEquals(recorder.connection.remoteAddress, null);
  },
);

engineTest("setNoDelay() on a unix socket is EOPNOTSUPP", (engine) => {
  const path = `\0edgewise-${Deno.pid}-nodelay`;
  const recorder = new Recorder();
  const listener = engine.listen({ path }, recorder.handlers());
  using _peer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.has("open"));
  const error = assertThrows(
    () => recorder.connection.setNoDelay(),
    SystemError,
  );
  assertEquals(error.code, "EOPNOTSUPP");
  assertEquals(error.fd, recorder.connection.fd);
  recorder.connection.setKeepAlive();
});

/** Asserts that listening fails so, and that nothing is left open. */
function assertListenFails(
  engine: Engine,
  options: ListenOptions,
  code: string,
  syscall: string,
  address: string,
): void {
  const before = openDescriptors().size;
  const error = assertThrows(() => engine.listen(options, {}), SystemError);
  assertEquals([error.code, error.syscall, error.address], [
    code,
    syscall,
    address,
  ]);
  for (const part of [code, syscall, address]) {
    assert(error.message.includes(part), error.message);
  }
  assertEquals(openDescriptors().size, before);
}

/** Asserts that connecting fails so: told by handlers, or thrown at once. */
function assertConnectFails(
  engine: Engine,
  options: { hostname?: string; port?: number; path?: string },
  codes: string[],
  address: string,
): void {
  const before = openDescriptors().size;
  const recorder = new Recorder();
  engine.connect(options, recorder.handlers());
  runUntil(engine, () => recorder.has("close"));
  settle(engine);
  const { error } = recorder;
  assertInstanceOf(error, SystemError);
  assert(codes.includes(error.code), error.message);
  assertEquals(recorder.log, [`error ${error.code}`, "close"]);
  assertEquals([error.syscall, error.address], ["connect", address]);
  assert(error.message.includes(address), error.message);
  assertEquals(openDescriptors().size, before);
}

engineTest("a port in use is EADDRINUSE", (engine) => {
  using taken = new PeerListener();
  const { port } = taken;
  const address = `127.0.0.1:${port}`;
  assertListenFails(engine, { port }, "EADDRINUSE", "bind", address);
  const listener = engine.listen({ hostname: "::1" }, {});
  assertListenFails(
    engine,
    { hostname: "::1", port: listener.port },
    "EADDRINUSE",
    "bind",
    `[::1]:${listener.port}`,
  );
});

engineTest("an address of another machine is EADDRNOTAVAIL", (engine) => {
  // From the blocks that are reserved for documentation.
  for (
    const [hostname, address] of [
      ["192.0.2.1", "192.0.2.1:0"],
      ["2001:db8::1", "[2001:db8::1]:0"],
    ] as const
  ) {
    assertListenFails(engine, { hostname }, "EADDRNOTAVAIL", "bind", address);
  }
});

triggerTest("a port that only root may have is EACCES", (trigger) => {
  // Root may have any: here the kernel's answer is given by the test.
  const calls = replacing({ bind: () => -EACCES });
  using engine = new Engine({ trigger }, calls);
  assertListenFails(engine, { port: 80 }, "EACCES", "bind", "127.0.0.1:80");
});

engineTest("a unix path that is there already is EADDRINUSE", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    engine.listen({ path }, {});
    assertListenFails(engine, { path }, "EADDRINUSE", "bind", path);
  });
  const name = `edgewise-${Deno.pid}-taken`;
  const path = `\0${name}`;
  engine.listen({ path }, {});
  assertListenFails(engine, { path }, "EADDRINUSE", "bind", `@${name}`);
});

engineTest(
  "a unix path in a directory that is not there is ENOENT",
  (engine) => {
    const path = "/nowhere/at/all";
    assertListenFails(engine, { path }, "ENOENT", "bind", path);
    assertConnectFails(engine, { path }, ["ENOENT"], path);
  },
);

engineTest("a unix path that nobody listens on is ECONNREFUSED", (engine) => {
  inDirectory((directory) => {
    const path = `${directory}/socket`;
    new PeerListener({ family: "unix", path })[Symbol.dispose]();
    assertConnectFails(engine, { path }, ["ECONNREFUSED"], path);
    const file = `${directory}/file`;
    Deno.writeTextFileSync(file, "");
    assertConnectFails(engine, { path: file }, ["ECONNREFUSED"], file);
  });
  const name = `edgewise-${Deno.pid}-nobody`;
  assertConnectFails(
    engine,
    { path: `\0${name}` },
    ["ECONNREFUSED"],
    `@${name}`,
  );
});

engineTest("a broadcast address can't be connected to", (engine) => {
  // TCP refuses it at once, by one of these or another.
  const hostname = "255.255.255.255";
  assertConnectFails(
    engine,
    { hostname, port: 80 },
    ["ENETUNREACH", "EACCES", "EINVAL"],
    `${hostname}:80`,
  );
});

engineTest("refused IPv4 and IPv6 connections name their address", (engine) => {
  const port = closedPort();
  const refused = ["ECONNREFUSED"];
  assertConnectFails(engine, { port }, refused, `127.0.0.1:${port}`);
  const hostname = "::1";
  assertConnectFails(engine, { hostname, port }, refused, `[::1]:${port}`);
});

engineTest(
  "what is no address is a TypeError that shows it, and leaks nothing",
  (engine) => {
    const before = openDescriptors().size;
    assertThrows(
      () => engine.listen({ hostname: "localhost" }, {}),
      TypeError,
      "localhost",
    );
    const wrong = [
      "",
      "127.0.0",
      "127.0.0.256",
      "127.0.0.1 ",
      "1.2.3.4.5",
      "::1::",
      ":::",
      "12345::",
      "[::1]",
      "127.0.0.1:80",
      "-localhost host",
      "a..b",
      "localhost.1",
      `${"x".repeat(64)}.example`,
    ];
    for (const hostname of wrong) {
      const shown = JSON.stringify(hostname);
      for (const verb of ["listen", "connect"] as const) {
        const options = { hostname, port: 80 };
        const error = assertThrows(() => engine[verb](options, {}), TypeError);
        assert(error.message.includes(shown), error.message);
      }
    }
    assertEquals(openDescriptors().size, before);
  },
);

engineTest(
  "a unix path that is empty, too long, or holds a NUL is refused, and leaks nothing",
  (engine) => {
    const before = openDescriptors().size;
    const long = "x".repeat(108);
    for (const verb of ["listen", "connect"] as const) {
      for (const path of [`/${long}`, `\0${long}`]) {
        assertThrows(() => engine[verb]({ path }, {}), RangeError);
      }
      for (const path of ["", "/tmp/edge\0wise"]) {
        assertThrows(() => engine[verb]({ path }, {}), TypeError);
      }
    }
    assertEquals(openDescriptors().size, before);
  },
);
