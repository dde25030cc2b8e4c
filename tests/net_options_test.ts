/** Options of sockets, by the kernel's names, and what it knows of a connection. */
import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Connection,
  type Engine,
  type SocketOptionName,
  type SocketOptions,
  SystemError,
} from "../mod.ts";
import { engineTest, Recorder, runUntil } from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** An open connection of the engine's, and its peer. */
function open(engine: Engine, options = {}): [Connection, Peer] {
  const recorder = new Recorder();
  const listener = engine.listen(options, recorder.handlers());
  const peer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.has("open"));
  return [recorder.connection, peer];
}

/** Values that the kernel keeps as they are. */
const KEPT: Partial<SocketOptions> = {
  SO_KEEPALIVE: true,
  SO_RCVLOWAT: 7,
  SO_LINGER: 3,
  SO_OOBINLINE: true,
  SO_PRIORITY: 4,
  SO_BROADCAST: true,
  TCP_NODELAY: true,
  TCP_CORK: true,
  TCP_QUICKACK: false,
  TCP_KEEPIDLE: 40,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 3,
  TCP_USER_TIMEOUT: 12_345,
  TCP_NOTSENT_LOWAT: 16_384,
  TCP_SYNCNT: 2,
  TCP_LINGER2: 7,
  TCP_CONGESTION: "reno",
  IP_TOS: 0x10,
  IP_TTL: 33,
};

engineTest("an option that is set is what the kernel answers", (engine) => {
  const [connection, peer] = open(engine);
  for (const [name, value] of Object.entries(KEPT)) {
    const option = name as SocketOptionName;
    connection.setOption(option, value);
    assertEquals(connection.getOption(option), value, name);
  }
  connection.setOption("SO_LINGER", null);
  assertEquals(connection.getOption("SO_LINGER"), null);
  connection.setOption("SO_KEEPALIVE", false);
  assertEquals(connection.getOption("SO_KEEPALIVE"), false);
  for (const option of ["SO_SNDBUF", "SO_RCVBUF"] as const) {
    connection.setOption(option, 20_000);
    assertEquals(connection.getOption(option), 40_000);
  }
  peer.close();
});

engineTest("options of IPv6", (engine) => {
  const [connection, peer] = open(engine, { hostname: "::1" });
  connection.setOption("IPV6_TCLASS", 0x20);
  assertEquals(connection.getOption("IPV6_TCLASS"), 0x20);
  connection.setOption("IPV6_UNICAST_HOPS", 9);
  assertEquals(connection.getOption("IPV6_UNICAST_HOPS"), 9);
  peer.close();
});

engineTest("setKeepAlive() takes idle time, interval and count", (engine) => {
  const [connection, peer] = open(engine);
  connection.setKeepAlive({ idleSeconds: 30, intervalSeconds: 4, count: 2 });
  assertEquals(connection.getOption("SO_KEEPALIVE"), true);
  assertEquals(connection.getOption("TCP_KEEPIDLE"), 30);
  assertEquals(connection.getOption("TCP_KEEPINTVL"), 4);
  assertEquals(connection.getOption("TCP_KEEPCNT"), 2);
  connection.setKeepAlive(false);
  assertEquals(connection.getOption("SO_KEEPALIVE"), false);
  connection.setKeepAlive({ count: 5 });
  assertEquals(connection.getOption("SO_KEEPALIVE"), true);
  assertEquals(connection.getOption("TCP_KEEPIDLE"), 30);
  const error = assertThrows(
    () => connection.setKeepAlive({ idleSeconds: 0 }),
    SystemError,
  );
  assertEquals(error.code, "EINVAL");
  assert(error.message.includes("TCP_KEEPIDLE"), error.message);
  peer.close();
});

engineTest("setNoDelay() sets TCP_NODELAY, and not IP_TOS", (engine) => {
  const [connection, peer] = open(engine);
  const tos = connection.getOption("IP_TOS");
  connection.setNoDelay();
  assertEquals(connection.getOption("TCP_NODELAY"), true);
  assertEquals(connection.getOption("IP_TOS"), tos);
  connection.setNoDelay(false);
  assertEquals(connection.getOption("TCP_NODELAY"), false);
  peer.close();
});

engineTest("what is no option, or no value of one, is refused", (engine) => {
  const [connection, peer] = open(engine);
  const wrong: [string, unknown][] = [
    ["SO_NOTHING", 1],
    ["toString", 1],
    ["TCP_NODELAY", 1],
    ["SO_RCVBUF", true],
    ["SO_RCVBUF", 1.5],
    ["SO_RCVBUF", 2 ** 31],
    ["SO_RCVBUF", "1"],
    ["SO_LINGER", true],
    ["TCP_CONGESTION", 3],
  ];
  for (const [name, value] of wrong) {
    assertThrows(
      () => connection.setOption(name as "SO_MARK", value as number),
      TypeError,
      name,
    );
  }
  assertThrows(
    () => connection.setOption("TCP_CONGESTION", "nothing-like-it"),
    SystemError,
    "ENOENT",
  );
  assertThrows(
    () => connection.setOption("TCP_KEEPCNT", 1000),
    SystemError,
    "EINVAL",
  );
  connection.close();
  assertThrows(() => connection.getOption("SO_RCVBUF"), SystemError, "EBADF");
  assertThrows(() => connection.setNoDelay(), SystemError, "EBADF");
  peer.close();
});

engineTest("tcpInfo() tells the state of both ends", (engine) => {
  const [connection, peer] = open(engine);
  const info = connection.tcpInfo();
  assertEquals(info.state, "ESTABLISHED");
  assert(info.congestionWindow > 0);
  assert(info.sendMss > 0 && info.pathMtu >= info.sendMss);
  assert(info.rttMs >= 0 && info.rttMs < 60_000);
  assertEquals([info.retransmitsTotal, info.lost, info.probes], [0, 0, 0]);
  connection.end();
  runUntil(engine, () => connection.tcpInfo().state === "FIN_WAIT2");
  peer.close();
});

engineTest("tcpInfo() of a unix socket is EOPNOTSUPP", (engine) => {
  const path = `\0edgewise-${process.pid}-tcpinfo`;
  const [connection, peer] = open(engine, { path });
  assertThrows(() => connection.tcpInfo(), SystemError, "EOPNOTSUPP");
  assertThrows(
    () => connection.getOption("TCP_NODELAY"),
    SystemError,
    "EOPNOTSUPP",
  );
  peer.close();
});
