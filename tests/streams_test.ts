/** Streams behave as Deno's own listeners and connections: the same tests of both. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { connect, listen } from "../src/net/streams.ts";
import type {
  Conn,
  Listener,
  TcpConn,
  TcpConnectOptions,
  TcpListener,
  TcpListenOptions,
  UnixConn,
  UnixConnectOptions,
  UnixListener,
  UnixListenOptions,
} from "../src/net/streams.ts";
import {
  bytes,
  netTest,
  pairTest,
  readBytes,
  text,
  writeAll,
} from "./support/stream_nets.ts";
import { test } from "./support/descriptors.ts";
import { closedPort, PeerListener } from "./support/net_peer.ts";
import { within } from "./support/within.ts";

const { errors } = Deno;

Deno.test("streams satisfy Deno's types, and take Deno's options", () => {
  // That this compiles is the test.
  const uses: [
    (listener: TcpListener) => Deno.TcpListener,
    (listener: UnixListener) => Deno.UnixListener,
    (listener: Listener) => Deno.Listener,
    (conn: TcpConn) => Deno.TcpConn,
    (conn: UnixConn) => Deno.UnixConn,
    (conn: Conn) => Deno.Conn,
    (options: Deno.TcpListenOptions) => TcpListenOptions,
    (
      options: Deno.UnixListenOptions & { transport: "unix" },
    ) => UnixListenOptions,
    (options: Deno.ConnectOptions) => TcpConnectOptions,
    (options: Deno.UnixConnectOptions) => UnixConnectOptions,
  ] = [
    (listener) => listener,
    (listener) => listener,
    (listener) => listener,
    (conn) => conn,
    (conn) => conn,
    (conn) => conn,
    (options) => options,
    (options) => options,
    (options) => options,
    (options) => options,
  ];
  assertEquals(uses.length, 10);
});

async function echo(conn: Deno.Conn): Promise<void> {
  using _ = conn;
  const buffer = new Uint8Array(1024);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    await writeAll(conn, buffer.subarray(0, count));
  }
}

netTest("an echo server answers many clients at once", async (net) => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const served: Promise<void>[] = [];
  const serving = (async () => {
    for await (const conn of listener) served.push(echo(conn));
  })();
  await Promise.all(Array.from({ length: 40 }, async (_, number) => {
    using conn = await net.connect({ port: listener.addr.port });
    for (let round = 0; round < 5; round++) {
      const message = bytes(`client ${number}, round ${round}`);
      await writeAll(conn, message);
      assertEquals(await readBytes(conn, message.length), message);
    }
  }));
  listener.close();
  await within(serving);
  await within(Promise.all(served));
  assertEquals(served.length, 40);
});

pairTest("addresses say where both ends are, after closing too", (pair) => {
  const { listener, client, server } = pair;
  for (const end of [client, server]) end.close();
  listener.close();
  assertEquals(listener.addr.transport, "tcp");
  assertEquals(listener.addr.hostname, "127.0.0.1");
  assertEquals({ ...client.remoteAddr }, { ...listener.addr });
  assertEquals({ ...server.localAddr }, { ...listener.addr });
  assertEquals({ ...server.remoteAddr }, { ...client.localAddr });
});

netTest(
  "accepted on any address, each has the one that its client chose",
  async (net) => {
    // The second is the first as IPv6 writes it.
    for (const everywhere of ["0.0.0.0", "::ffff:0.0.0.0"]) {
      using listener = net.listen({ hostname: everywhere, port: 0 });
      const { port } = listener.addr;
      for (const hostname of ["127.0.0.1", "127.0.0.2"]) {
        const connecting = net.connect({ hostname, port });
        using server = await listener.accept();
        using _ = await connecting;
        const chosen = everywhere.replace("0.0.0.0", hostname);
        assertEquals(server.localAddr.hostname, chosen);
        assertEquals(server.localAddr.port, port);
      }
    }
  },
);

netTest(
  "connections of a listener do not share the object of its address",
  async (net) => {
    using listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const connecting = net.connect({ port });
    using server = await listener.accept();
    using _ = await connecting;
    Object.assign(server.localAddr, { port: 1 });
    assertEquals(listener.addr.port, port);
  },
);

netTest("listening defaults to a free port of all addresses", (net) => {
  using listener = net.listen({});
  assertEquals(listener.addr.hostname, "0.0.0.0");
  assert(listener.addr.port > 0);
});

netTest("hosts go by name, by IPv6 address, and in brackets", async (net) => {
  for (const hostname of ["localhost", "::1", "[::1]"]) {
    using listener = net.listen({ hostname, port: 0 });
    const connecting = net.connect({ hostname, port: listener.addr.port });
    using server = await listener.accept();
    using client = await connecting;
    assertEquals(client.remoteAddr.hostname, listener.addr.hostname);
    await client.write(bytes("hello"));
    assertEquals(text(await readBytes(server, 5)), "hello");
  }
});

netTest("a port is taken by one listener", (net) => {
  const hostname = "127.0.0.1";
  using listener = net.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  assertThrows(() => net.listen({ hostname, port }), errors.AddrInUse);
});

pairTest(
  "the end of one direction leaves the other open, both ways",
  async (pair) => {
    for (const [from, to] of [[pair.client, pair.server]] as const) {
      await from.write(bytes("question"));
      await from.closeWrite();
      assertEquals(text(await readBytes(to)), "question");
      assertEquals(await to.read(new Uint8Array(1)), null);
      await to.write(bytes("answer"));
      await to.closeWrite();
      assertEquals(text(await readBytes(from)), "answer");
      assertEquals(await from.read(new Uint8Array(1)), null);
      await from.closeWrite();
      await assertRejects(() => from.write(bytes("more")), errors.BrokenPipe);
    }
  },
);

pairTest(
  "closeWrite() waits for the writes before it",
  async ({ client, server }) => {
    const large = new Uint8Array(1024 * 1024).fill(7);
    let accepted = 0;
    const note = (count: number) => void (accepted += count);
    // More than the kernel buffers, whatever that is set to.
    const writes = Array.from(
      { length: 32 },
      () => client.write(large).then(note),
    );
    const ended = client.closeWrite();
    const received = (await readBytes(server)).length;
    await within(Promise.all([...writes, ended]));
    assertEquals(received, accepted);
  },
);

pairTest(
  "reading nothing and writing nothing take no time",
  async ({ client }) => {
    assertEquals(await client.read(new Uint8Array(0)), 0);
    assertEquals(await client.write(new Uint8Array(0)), 0);
  },
);

pairTest(
  "reads that wait are served in their order",
  async ({ client, server }) => {
    const reads = [1, 2, 3].map(async (length) => {
      const buffer = new Uint8Array(length);
      await client.read(buffer);
      return text(buffer);
    });
    await server.write(bytes("122333"));
    assertEquals(await Promise.all(reads), ["1", "22", "333"]);
  },
);

pairTest("close() ends what waits, and the peer sees the end", async (pair) => {
  const { client, server } = pair;
  const reading = client.read(new Uint8Array(1));
  const full = new Uint8Array(1024 * 1024);
  const writes = Array.from({ length: 32 }, () => client.write(full));
  const settled = Promise.allSettled([reading, ...writes]);
  const drained = readBytes(server, 1);
  await drained;
  client.close();
  const results = await within(settled);
  const reasons = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  assert(reasons.length > 1);
  for (const reason of reasons) assertInstanceOf(reason, errors.Interrupted);
});

pairTest("after close() nothing can be asked for", async ({ client }) => {
  client.close();
  for (
    const use of [
      () => client.read(new Uint8Array(1)),
      () => client.write(new Uint8Array(1)),
      () => client.closeWrite(),
    ]
  ) await assertRejects(use, errors.BadResource);
  assertThrows(() => client.setNoDelay(), errors.BadResource);
  assertThrows(() => client.setKeepAlive(), errors.BadResource);
});

netTest("closing a listener ends accept() and iterations", async (net) => {
  for (const iterate of [false, true]) {
    const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const waiting = iterate
      ? listener[Symbol.asyncIterator]().next()
      : listener.accept();
    const result = waiting.catch((error: unknown) => error);
    listener.close();
    const value = await within<unknown>(result);
    if (iterate) assertEquals(value, { value: undefined, done: true });
    else assertInstanceOf(value, errors.BadResource);
    await assertRejects(() => listener.accept(), errors.BadResource);
  }
});

netTest("leaving an iteration closes the listener", async (net) => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using client = await net.connect({ port });
  for await (const conn of listener) {
    conn.close();
    break;
  }
  assertEquals(await client.read(new Uint8Array(1)), null);
  await assertRejects(() => net.connect({ port }), errors.ConnectionRefused);
});

netTest(
  "connections wait in the backlog until they are accepted",
  async (net) => {
    using listener = net.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const clients = await Promise.all(
      [1, 2, 3].map(() => net.connect({ port })),
    );
    for (const client of clients) {
      using server = await listener.accept();
      assertEquals(server.remoteAddr.port, client.localAddr.port);
      client.close();
    }
  },
);

netTest("errors are of Deno's classes, with the kernel's code", async (net) => {
  const port = closedPort();
  const refused = await assertRejects(
    () => net.connect({ port }),
    errors.ConnectionRefused,
  );
  assertEquals(refused.name, "ConnectionRefused");
  assertEquals("code" in refused && refused.code, "ECONNREFUSED");
  await assertRejects(() => net.connectUnix("no/such"), errors.NotFound);
  const hostname = "203.0.113.1"; // a documentation address, never this machine's
  assertThrows(() => net.listen({ hostname }), errors.AddrNotAvailable);
  assertThrows(() => net.listen({ port: 65536 }), RangeError);
  await assertRejects(() => net.connect({ port: 65536 }), RangeError);
});

netTest("a reset is told as one", async (net) => {
  using listener = new PeerListener();
  using client = await net.connect({ port: listener.port });
  const reading = client.read(new Uint8Array(1));
  listener.accept().reset();
  await assertRejects(() => within(reading), errors.ConnectionReset);
  await assertRejects(() => client.write(bytes("x")), errors.BrokenPipe);
  assertEquals(await client.read(new Uint8Array(1)), null);
  await client.closeWrite();
});

netTest("unix sockets work by path, and leave no file behind", async (net) => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/socket`;
  try {
    const listener = net.listenUnix(path);
    const connecting = net.connectUnix(path);
    using server = await listener.accept();
    using client = await connecting;
    assertEquals(listener.addr, { transport: "unix", path });
    assertEquals(client.remoteAddr, { transport: "unix", path });
    assertEquals(server.localAddr, { transport: "unix", path });
    assertThrows(() => net.listenUnix(path), errors.AddrInUse);
    await client.write(bytes("hello"));
    assertEquals(text(await readBytes(server, 5)), "hello");
    await server.closeWrite();
    assertEquals(await client.read(new Uint8Array(1)), null);
    listener.close();
    await assertRejects(() => Deno.stat(path), errors.NotFound);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

pairTest("disposing closes, after close() too", async ({ client, server }) => {
  {
    using conn = server;
    conn.close();
  }
  assertEquals(await client.read(new Uint8Array(1)), null);
  client[Symbol.dispose]();
  client[Symbol.dispose]();
  await assertRejects(() => client.read(new Uint8Array(1)), errors.BadResource);
});

pairTest("options of TCP can be set", ({ client }) => {
  for (const value of [undefined, false, true]) {
    client.setNoDelay(value);
    client.setKeepAlive(value);
  }
});

pairTest("what is no Uint8Array is refused at once", async ({ client }) => {
  for (const value of ["text", new Uint16Array(1), new ArrayBuffer(1)]) {
    const p = value as unknown as Uint8Array;
    await assertRejects(() => client.read(p), TypeError);
    await assertRejects(() => client.write(p), TypeError);
  }
});

pairTest("who prints a connection or a listener sees no insides", (pair) => {
  for (const end of [pair.client, pair.listener]) {
    const shown = Object.keys(end);
    const addresses = ["addr", "localAddr", "remoteAddr"];
    assertEquals(shown.filter((name) => !addresses.includes(name)), []);
  }
});

test("a transport that there is none of is refused", async () => {
  const options = { port: 0, transport: "udp" } as unknown as TcpConnectOptions;
  assertThrows(() => listen(options), TypeError, "is udp");
  await assertRejects(() => connect(options), TypeError, "is udp");
});
