/** What a datagram socket receives and sends, and to whom. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Datagram,
  type DatagramEndpoint,
  DatagramPeer,
  Engine,
  type SocketAddress,
  SystemError,
} from "../mod.ts";
import * as c from "../ffi/mod.ts";
import { existsSync } from "node:fs";
import { DatagramEnd } from "./support/datagram_peer.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import {
  bytesOf,
  engineTest,
  pattern,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { loopback } from "./support/net_peer.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A socket that sends everything back. */
function echo(engine: Engine, endpoint: DatagramEndpoint): Datagram {
  return engine.datagram(endpoint, {
    data(datagram, chunk, from) {
      assert(datagram.send(chunk, from));
    },
  });
}

const kinds: Record<string, () => DatagramEndpoint> = {
  "IPv4": () => ({ port: 0 }),
  "IPv6": () => ({ hostname: "::1", port: 0 }),
  "unix path": () => ({ path: Deno.makeTempDirSync() + "/socket" }),
  "unix abstract": () => ({ path: `\0${crypto.randomUUID()}` }),
};

/** The endpoint that reaches a bound socket. */
function endpointOf(datagram: Datagram): DatagramEndpoint {
  const address = datagram.localAddress;
  switch (address?.family) {
    case "ipv4":
    case "ipv6":
      return { hostname: address.host, port: address.port };
    case "unix":
      return { path: address.path };
    case "unix-abstract":
      return { path: `\0${address.name}` };
    default:
      throw new Error(`It is at ${JSON.stringify(address)}`);
  }
}

for (const [kind, endpoint] of Object.entries(kinds)) {
  engineTest(
    `${kind}: datagrams go to and fro with their borders`,
    (engine) => {
      const server = echo(engine, endpoint());
      const got: string[] = [];
      const senders: SocketAddress[] = [];
      const remote = endpointOf(server);
      const client = engine.datagram({ remote }, {
        data(_datagram, chunk, from, length) {
          got.push(textOf(chunk));
          senders.push(from.address);
          assertEquals(length, chunk.length);
        },
      });
      const sent = ["one", "", "three", "x".repeat(5000)];
      for (const text of sent) assert(client.send(bytesOf(text)));
      runUntil(engine, () => got.length === sent.length);
      assertEquals(got, sent);
      assertEquals(client.remoteAddress, server.localAddress);
      for (const sender of senders) assertEquals(sender, server.localAddress);
      server.close();
      client.close();
      // A socket file goes with its socket.
      if (remote.path?.startsWith("/")) assert(!existsSync(remote.path));
    },
  );
}

engineTest(
  "a sender is told apart, compared, kept and answered later",
  (engine) => {
    const kept: DatagramPeer[] = [];
    const names: string[] = [];
    const server = engine.datagram({ port: 0 }, {
      data(_datagram, _chunk, from) {
        names.push(from.toString());
        kept.push(from.keep());
      },
    });
    using first = DatagramEnd.to(server.port);
    using second = DatagramEnd.to(server.port);
    for (const end of [first, second, first]) end.send("x");
    runUntil(engine, () => kept.length === 3);
    const ports = [first.port, second.port, first.port];
    assertEquals(names, ports.map((port) => `127.0.0.1:${port}`));
    assertEquals(kept.map((peer) => peer.address), ports.map(loopback));
    assert(kept[0].equals(kept[2]) && !kept[0].equals(kept[1]));
    assert(kept[0].equals(DatagramPeer.at(loopback(first.port))));
    assert(kept[0].keep().equals(kept[0]));

    for (const [index, peer] of kept.entries()) {
      assert(server.send(bytesOf(`answer ${index}`), peer));
    }
    settle(engine);
    assertEquals(first.receiveAll(), ["answer 0", "answer 2"]);
    assertEquals(second.receiveAll(), ["answer 1"]);
    server.close();
  },
);

engineTest(
  "an address may be given as it is, and encoded once by DatagramPeer.at()",
  (engine) => {
    using end = new DatagramEnd();
    const sender = engine.datagram({ port: 0 }, {});
    assert(sender.send(bytesOf("object"), end.address));
    assert(sender.send(bytesOf("peer"), DatagramPeer.at(end.address)));
    assertEquals(sender.queued, 2);
    settle(engine);
    assertEquals(end.receiveAll(), ["object", "peer"]);
    assertEquals(sender.queued, 0);
    sender.close();
  },
);

engineTest(
  "a connected socket receives from its peer alone, and sends elsewhere too",
  (engine) => {
    using peer = new DatagramEnd();
    using stranger = new DatagramEnd();
    const got: string[] = [];
    const socket = engine.datagram({ remote: { port: peer.port } }, {
      data: (_datagram, chunk) => void got.push(textOf(chunk)),
    });
    const address = socket.localAddress as SocketAddress;
    peer.connect(address);
    stranger.connect(address);
    stranger.send("stranger");
    // It is told that nobody takes that from it.
    assertEquals(stranger.receive(), null);
    peer.send("peer");
    runUntil(engine, () => got.length === 1);
    assertEquals(got, ["peer"]);
    socket.send(bytesOf("home"));
    socket.send(bytesOf("abroad"), stranger.address);
    settle(engine);
    assertEquals(peer.receiveAll(), ["home"]);
    assertEquals(stranger.receiveAll(), ["abroad"]);
    socket.close();
  },
);

engineTest("a sender without a name is unnamed", (engine) => {
  const path = `\0${crypto.randomUUID()}`;
  const senders: SocketAddress[] = [];
  const server = engine.datagram({ path }, {
    data: (_datagram, _chunk, from) => void senders.push(from.keep().address),
  });
  const fd = c.check(c.socket(c.AF_UNIX, c.SOCK_DGRAM), "socket");
  const address = c.encodeAddress(server.localAddress as SocketAddress);
  c.check(c.connect(fd, address), "connect");
  c.check(c.send(fd, bytesOf("x")), "send");
  runUntil(engine, () => senders.length === 1);
  assertEquals(senders, [{ family: "unix-unnamed" }]);
  c.close(fd);
  server.close();
});

engineTest(
  "a datagram that is too long is cut, says how long it was, and harms no other",
  (engine) => {
    const got: [string, number][] = [];
    const server = engine.datagram({ port: 0, messageMax: 4 }, {
      data: (_datagram, chunk, _from, length) =>
        void got.push([textOf(chunk), length]),
    });
    using end = DatagramEnd.to(server.port);
    for (const text of ["1234", "12345678", "", "12"]) end.send(text);
    runUntil(engine, () => got.length === 4);
    assertEquals(got, [["1234", 4], ["1234", 8], ["", 0], ["12", 2]]);
    server.close();
  },
);

engineTest("the longest datagram goes through unchanged", (engine) => {
  const bytes = pattern(65507);
  let got = new Uint8Array(0);
  const server = echo(engine, { port: 0 });
  const client = engine.datagram({ remote: { port: server.port } }, {
    data: (_datagram, chunk) => void (got = chunk.slice()),
  });
  client.send(bytes);
  runUntil(engine, () => got.length > 0);
  assertEquals(got, bytes);
  server.close();
  client.close();
});

engineTest(
  "what is sent is a copy: the memory may change at once",
  (engine) => {
    using end = new DatagramEnd();
    const socket = engine.datagram({ remote: { port: end.port } }, {});
    const bytes = bytesOf("before");
    socket.send(bytes);
    bytes.fill(0);
    settle(engine);
    assertEquals(end.receiveAll(), ["before"]);
    socket.close();
  },
);

engineTest("flush() sends what is queued before it returns", (engine) => {
  using end = new DatagramEnd();
  const socket = engine.datagram({ remote: { port: end.port } }, {});
  for (const text of ["a", "b"]) socket.send(bytesOf(text));
  assertEquals(end.receiveAll(), []);
  socket.flush();
  assertEquals([end.receiveAll(), socket.queued], [["a", "b"], 0]);
  socket.close();
  socket.flush();
});

engineTest(
  "close() sends what is queued, and is told once and last",
  (engine) => {
    using end = new DatagramEnd();
    const log: string[] = [];
    const socket = engine.datagram({ remote: { port: end.port } }, {
      data: () => void log.push("data"),
      close: (datagram) => void log.push(`close ${datagram.fd}`),
    });
    end.connect(socket.localAddress as SocketAddress);
    end.send("too late");
    socket.send(bytesOf("last words"));
    socket.close();
    socket.close();
    assertEquals([socket.closed, socket.fd, log.length], [true, -1, 0]);
    settle(engine);
    assertEquals(log, ["close -1"]);
    assertEquals(end.receiveAll(), ["last words"]);
  },
);

engineTest(
  "after close() in a handler nothing more of the batch arrives",
  (engine) => {
    const log: string[] = [];
    const socket = engine.datagram({ port: 0 }, {
      data(datagram, chunk) {
        log.push(textOf(chunk));
        datagram.close();
      },
      close: () => void log.push("close"),
    });
    using end = DatagramEnd.to(socket.port);
    for (const text of ["1", "2", "3"]) end.send(text);
    runUntil(engine, () => log.includes("close"));
    settle(engine);
    assertEquals(log, ["1", "close"]);
  },
);

engineTest(
  "the engine's close() closes its sockets and tells them",
  (engine) => {
    const log: string[] = [];
    const socket = engine.datagram({ port: 0 }, {
      close: () => void log.push("close"),
    });
    engine.close();
    assertEquals([socket.closed, log], [true, ["close"]]);
    assertThrows(() => engine.datagram({}, {}), SystemError, "EBADF");
  },
);

triggerTest(
  "2,500 sockets, all closed at the first datagram: one is called, all are told",
  (trigger) => {
    using engine = new Engine({ trigger });
    const sockets: Datagram[] = [];
    let received = 0;
    let closed = 0;
    for (let index = 0; index < 2500; index++) {
      sockets.push(engine.datagram({ port: 0, batchMax: 4 }, {
        data() {
          received++;
          for (const socket of sockets) socket.close();
        },
        close: () => void closed++,
      }));
    }
    for (const { port } of sockets) {
      sockets[0].send(bytesOf("x"), loopback(port));
    }
    runUntil(engine, () => closed === 2500);
    settle(engine);
    assertEquals([received, closed], [1, 2500]);
  },
);

engineTest(
  "a socket made elsewhere is taken over, and closed with the datagram",
  (engine) => {
    using end = new DatagramEnd();
    const fd = c.check(c.socket(c.AF_INET, c.SOCK_DGRAM), "socket");
    c.check(c.connect(fd, c.encodeAddress(end.address)), "connect");
    const socket = engine.datagram({ fd }, {});
    assertEquals([socket.fd, socket.remoteAddress], [fd, end.address]);
    assertEquals(c.fcntl(fd, c.F_GETFD, 0), c.FD_CLOEXEC);
    socket.send(bytesOf("hello"));
    socket.close();
    assertEquals(end.receiveAll(), ["hello"]);
    assertEquals(c.fcntl(fd, c.F_GETFD, 0), -c.EBADF);
  },
);

engineTest("reusePort spreads senders over the sockets of a port", (engine) => {
  const counts = [0, 0];
  const options = { reusePort: true };
  const sockets = [0].map((port) =>
    engine.datagram({ ...options, port }, { data: () => void counts[0]++ })
  );
  const { port } = sockets[0];
  sockets.push(
    engine.datagram({ ...options, port }, { data: () => void counts[1]++ }),
  );
  const clients = Array.from({ length: 64 }, () => DatagramEnd.to(port));
  for (const client of clients) client.send("x");
  runUntil(engine, () => counts[0] + counts[1] === 64);
  assert(counts[0] > 0 && counts[1] > 0, `${counts}`);
  for (const closable of [...clients, ...sockets]) closable.close();
});

engineTest(
  "multicast reaches the members of a group, until they leave it",
  (engine) => {
    let got = 0;
    const member = engine.datagram({ hostname: "0.0.0.0", port: 0 }, {
      data: () => void got++,
    });
    member.joinGroup("239.1.2.3", "lo");
    const sender = engine.datagram({ port: 0 }, {});
    sender.setMulticastInterface("lo");
    sender.setMulticastTtl(0);
    sender.setMulticastLoopback(true);
    const to = { ...loopback(member.port), host: "239.1.2.3" } as SocketAddress;
    sender.send(bytesOf("x"), to);
    runUntil(engine, () => got === 1);
    member.leaveGroup("239.1.2.3", "lo");
    sender.send(bytesOf("y"), to);
    settle(engine);
    assertEquals(got, 1);
    member.close();
    sender.close();
  },
);

engineTest("joining a group is refused where it makes no sense", (engine) => {
  const groups = [["127.0.0.1", "239.1.2.3"], ["::1", "ff01::123"]];
  for (const [hostname, group] of groups) {
    const member = engine.datagram({ hostname, port: 0 }, {});
    const join = (host: string, networkInterface: string | number = "lo") => {
      return () => member.joinGroup(host, networkInterface);
    };
    join(group)();
    assertEquals(assertThrows(join(group), SystemError).code, "EADDRINUSE");
    assertEquals(assertThrows(join(hostname), SystemError).code, "EINVAL");
    assertEquals(assertThrows(join(group, 999), SystemError).code, "ENODEV");
    assertThrows(join(group, "nosuch0"), TypeError, "nosuch0");
    assertThrows(join("nonsense"), TypeError, "nonsense");
    member.leaveGroup(group, 1);
    assertThrows(() => member.leaveGroup(group, 1), SystemError);
    member.setMulticastInterface("lo");
    member.setMulticastTtl(2);
    member.setTtl(2);
    member.close();
  }
});

engineTest(
  "sending to a broadcast address is allowed by an option or a call",
  (engine) => {
    const codes: string[] = [];
    const handlers = {
      error: (_datagram: Datagram, error: SystemError) =>
        void codes.push(`${error.code} ${error.address}`),
    };
    const to = { family: "ipv4", host: "127.255.255.255", port: 9 } as const;
    const plain = engine.datagram({ port: 0 }, handlers);
    const allowed = engine.datagram({ port: 0, broadcast: true }, handlers);
    plain.send(bytesOf("x"), to);
    allowed.send(bytesOf("x"), to);
    settle(engine);
    assertEquals(codes, ["EACCES 127.255.255.255:9"]);
    plain.setBroadcast();
    plain.setTtl(7);
    plain.send(bytesOf("x"), to);
    settle(engine);
    assertEquals(codes.length, 1);
    assertThrows(() => plain.setTtl(256), SystemError, "EINVAL");
    assertThrows(() => plain.setMulticastTtl(256), RangeError, "hops");
    assertEquals(plain.getOption("IP_TTL"), 7);
    plain.close();
    assertThrows(() => plain.setBroadcast(), SystemError, "EBADF");
    allowed.close();
  },
);

test("bad options are refused with what is wrong, and leave nothing open", () => {
  using engine = new Engine();
  const before = openDescriptors();
  const refuse = (
    options: Parameters<Engine["datagram"]>[0],
    error: typeof RangeError | typeof TypeError | typeof SystemError,
    text: string,
  ) => assertThrows(() => engine.datagram(options, {}), error, text);
  refuse({ port: 65536 }, RangeError, "65536");
  refuse({ remote: {} }, RangeError, "port");
  refuse({ hostname: "nonsense" }, TypeError, "nonsense");
  refuse({ hostname: "1.2.3" }, TypeError, "1.2.3");
  refuse({ path: "x".repeat(200) }, RangeError, "107");
  refuse({ batchMax: 0 }, RangeError, "batchMax");
  refuse({ batchMax: 1025 }, RangeError, "batchMax");
  refuse({ messageMax: 0 }, RangeError, "messageMax");
  refuse({ messageMax: 2 ** 24 - 1, batchMax: 1024 }, RangeError, "batch");
  refuse({ queueMax: 0 }, RangeError, "queueMax");
  refuse({ bufferMax: -1 }, RangeError, "bufferMax");
  refuse({ receiveBufferBytes: 0 }, RangeError, "receiveBufferBytes");
  refuse({ fd: -1 }, RangeError, "fd");
  refuse({ fd: 999_999 }, SystemError, "EBADF");
  refuse({ fd: engine.fd }, SystemError, "ENOTSOCK");
  refuse({ hostname: "192.0.2.1" }, SystemError, "EADDRNOTAVAIL");
  refuse({ path: "/nonexistent/socket" }, SystemError, "/nonexistent/socket");
  const path = `\0${crypto.randomUUID()}`;
  refuse({ remote: { path } }, SystemError, "ECONNREFUSED");
  using taken = engine.datagram({ port: 0 }, {});
  refuse({ port: taken.port }, SystemError, `127.0.0.1:${taken.port}`);
  taken.close();
  const stream = c.socket(c.AF_INET, c.SOCK_STREAM);
  refuse({ fd: stream }, TypeError, "not a datagram socket");
  c.close(stream);
  assertEquals(openDescriptors(), before);
});

engineTest("send() refuses what can't be sent, at once", (engine) => {
  using end = new DatagramEnd();
  const socket = engine.datagram({ port: 0 }, {});
  const one = bytesOf("x");
  const code = (run: () => void) => assertThrows(run, SystemError).code;
  assertEquals(code(() => socket.send(one)), "EDESTADDRREQ");
  const text = "text" as unknown as Uint8Array;
  assertThrows(() => socket.send(text, end.address), TypeError);
  const nowhere = { ...loopback(1), host: "nowhere" } as SocketAddress;
  assertThrows(() => socket.send(one, nowhere), TypeError, "nowhere");
  socket.close();
  assertEquals(code(() => socket.send(one, end.address)), "EBADF");
});

engineTest(
  "a socket file that a program left is replaced, one in use is not",
  (engine) => {
    const path = `${Deno.makeTempDirSync()}/socket`;
    const end = new DatagramEnd({ family: "unix", path });
    const open = () => engine.datagram({ path }, {});
    const error = assertThrows(open, SystemError);
    assertEquals([error.code, error.address], ["EADDRINUSE", path]);
    end.close();
    const socket = open();
    using client = DatagramEnd.to({ family: "unix", path });
    assertEquals(client.send("x"), 1);
    socket.close();
    assert(!existsSync(path));
    // Connecting fails: nothing stays behind.
    const remote = { path: `\0${crypto.randomUUID()}` };
    const refused = () => engine.datagram({ path, remote }, {});
    assertEquals(assertThrows(refused, SystemError).code, "ECONNREFUSED");
    assert(!existsSync(path));
    Deno.writeTextFileSync(path, "a file");
    assertEquals(assertThrows(open, SystemError).code, "EADDRINUSE");
    assertEquals(Deno.readTextFileSync(path), "a file");
    Deno.removeSync(path);
  },
);

engineTest("ipv6Only: an IPv6 socket does not send to IPv4", (engine) => {
  using end = new DatagramEnd();
  const codes: string[] = [];
  const options = { hostname: "::", port: 0 };
  for (const ipv6Only of [false, true]) {
    const socket = engine.datagram({ ...options, ipv6Only }, {
      error: (_datagram, { code }) => void codes.push(code),
    });
    assertEquals(socket.getOption("IPV6_V6ONLY"), ipv6Only);
    socket.send(bytesOf(`${ipv6Only}`), end.address);
    settle(engine);
    socket.close();
  }
  assertEquals([end.receiveAll(), codes], [["false"], ["ENETUNREACH"]]);
});

engineTest(
  "the kernel's buffers are as large as asked for, and options are set and read",
  (engine) => {
    const sizes = { receiveBufferBytes: 50_000, sendBufferBytes: 60_000 };
    const socket = engine.datagram({ port: 0, ...sizes }, {});
    // It doubles them.
    assertEquals(socket.getOption("SO_RCVBUF"), 100_000);
    assertEquals(socket.getOption("SO_SNDBUF"), 120_000);
    socket.setOption("IP_TOS", 8);
    assertEquals(socket.getOption("IP_TOS"), 8);
    assertThrows(() => socket.getOption("TCP_NODELAY"), SystemError);
    socket.close();
  },
);
