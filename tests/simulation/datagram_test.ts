/** UDP, on the kernel and on the simulated one. */
import { assert, assertEquals } from "@std/assert";
import {
  AF_INET,
  check,
  ECONNREFUSED,
  encodeAddress,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  MSG_TRUNC,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
} from "../../ffi/mod.ts";
import { Engine } from "../../mod.ts";
import { RawEpoll } from "../conformance/raw_epoll.ts";
import { bytesOf } from "../support/net_engine.ts";
import { Ends } from "./ends.ts";
import { worldTest } from "./world.ts";

const LOOPBACK = encodeAddress({ family: "ipv4", host: "127.0.0.1", port: 0 });
const PATIENCE_MS = 20_000;

/** A UDP socket that is bound to a free port. */
function udp(ends: Ends): number {
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = ends.own(check(ends.calls.socket(AF_INET, type, 0), "socket"));
  check(ends.calls.bind(fd, LOOPBACK), "bind");
  return fd;
}

worldTest(
  "datagrams keep their bounds, and are cut to what is asked for",
  (world) => {
    using ends = new Ends(world.calls);
    using epoll = new RawEpoll(8, world.calls);
    const [one, other] = [udp(ends), udp(ends)];
    epoll.add(other, EPOLLIN);
    world.calls.connect(one, ends.nameOf(other));
    assertEquals(epoll.wait(), []);
    for (const text of ["first", "", "third"]) {
      assertEquals(world.calls.send(one, bytesOf(text), 0), text.length);
    }
    const buffer = new Uint8Array(3);
    const next = (flags: number) => {
      assertEquals(epoll.wait(PATIENCE_MS), [[other, "IN"]]);
      return world.calls.recv(other, buffer, flags);
    };
    assertEquals([next(0), next(0), next(MSG_TRUNC)], [3, 0, 5]);
    assertEquals(epoll.wait(), []);
  },
);

worldTest("a connected socket hears once that nobody is there", (world) => {
  using ends = new Ends(world.calls);
  using epoll = new RawEpoll(8, world.calls);
  const [one, other] = [udp(ends), udp(ends)];
  world.calls.connect(one, ends.nameOf(other));
  ends.close(other);
  world.calls.send(one, bytesOf("lost"), 0);
  epoll.add(one, 0);
  assertEquals(epoll.wait(PATIENCE_MS), [[one, "ERR"]]);
  assertEquals(world.calls.recv(one, new Uint8Array(8), 0), -ECONNREFUSED);
  assertEquals(epoll.wait(), []);
});

worldTest(
  "edge: a datagram that has gone leaves room, which is told",
  (world) => {
    using ends = new Ends(world.calls);
    using epoll = new RawEpoll(8, world.calls);
    const [one, other] = [udp(ends), udp(ends)];
    world.calls.connect(one, ends.nameOf(other));
    epoll.add(one, EPOLLOUT | EPOLLET);
    assertEquals(epoll.wait(), [[one, "OUT"]]);
    world.calls.send(one, bytesOf("on its way"), 0);
    assertEquals(epoll.wait(PATIENCE_MS), [[one, "OUT"]]);
  },
);

worldTest(
  "an engine answers datagrams, of one length or of several",
  (world) => {
    using engine = new Engine({}, world.calls);
    const server = engine.datagram({}, {
      data: (datagram, chunk, from) => void datagram.send(chunk, from),
    });
    const heard: string[] = [];
    const client = engine.datagram({}, {
      data: (_datagram, chunk) =>
        void heard.push(new TextDecoder().decode(chunk)),
    });
    const sent = ["aaaa", "bbbb", "cccc", "dd", "eeeeee"];
    const address = server.localAddress;
    assert(address !== null);
    for (const text of sent) client.send(bytesOf(text), address);
    let late = false;
    const patience = engine.timer(PATIENCE_MS, () => late = true);
    while (heard.length < sent.length && !late) engine.turn();
    patience.cancel();
    assertEquals(heard, sent);
  },
);
