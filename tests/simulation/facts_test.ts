/** What is known of epoll, on the kernel and on the simulated one. */
import { assertEquals } from "@std/assert";
import {
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  ECONNRESET,
  EEXIST,
  EINVAL,
  ELOOP,
  ENOENT,
  EPERM,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
  F_GETFD,
  FD_CLOEXEC,
  O_RDONLY,
  SHUT_WR,
  SO_ERROR,
  SOL_SOCKET,
} from "../../ffi/mod.ts";
import { RawEpoll, type Report } from "../conformance/raw_epoll.ts";
import { Ends } from "./ends.ts";
import { type World, worldTest } from "./world.ts";

const ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
const PATIENCE_MS = 20_000;
const one = new Uint8Array(BigUint64Array.of(1n).buffer);

/** A test with descriptors and an epoll set of each kernel. */
function fact(
  name: string,
  run: (ends: Ends, epoll: RawEpoll, world: World) => void,
): void {
  worldTest(name, (world) => {
    using ends = new Ends(world.calls);
    using epoll = new RawEpoll(64, world.calls);
    run(ends, epoll, world);
  });
}

/** What is reported within patience: a packet may take its time. */
function soon(epoll: RawEpoll): Report[] {
  return epoll.wait(PATIENCE_MS);
}

/** Waits until a socket reports just this mask. */
function until(ends: Ends, fd: number, mask: string): void {
  using watch = new RawEpoll(1, ends.calls);
  watch.add(fd, ALL);
  const deadline = performance.now() + PATIENCE_MS;
  while (watch.wait()[0]?.[1] !== mask) {
    if (performance.now() > deadline) throw new Error(`Never ${mask}`);
  }
}

fact(
  "edge: three writes to an eventfd that nobody reads give three events",
  (ends, epoll) => {
    const counter = ends.eventfd();
    epoll.add(counter, EPOLLIN | EPOLLET);
    for (let round = 0; round < 3; round++) {
      ends.calls.write(counter, one);
      assertEquals(epoll.wait(), [[counter, "IN"]]);
    }
    assertEquals(epoll.wait(), []);
  },
);

fact(
  "a write to an eventfd at its limit gives EAGAIN and wakes nobody",
  (ends, epoll) => {
    const counter = ends.eventfd();
    const limit = new Uint8Array(BigUint64Array.of(2n ** 64n - 2n).buffer);
    ends.calls.write(counter, limit);
    epoll.add(counter, EPOLLIN | EPOLLET);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    assertEquals(ends.calls.write(counter, one), -EAGAIN);
    assertEquals(epoll.wait(), []);
    ends.calls.read(counter, new Uint8Array(8));
    assertEquals(ends.calls.write(counter, one), 8);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
  },
);

fact(
  "an edge that was taken is reported again by a MOD with the same mask",
  (ends, epoll) => {
    const counter = ends.eventfd(1);
    epoll.add(counter, EPOLLIN | EPOLLET);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    assertEquals(epoll.wait(), []);
    epoll.modify(counter, EPOLLIN | EPOLLET);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    assertEquals(epoll.wait(), []);
  },
);

fact("a one-shot that reports a hang-up alone is disarmed", (ends, epoll) => {
  const [reader, writer] = ends.pipe();
  epoll.add(reader, EPOLLIN | EPOLLONESHOT);
  ends.close(writer);
  assertEquals(epoll.wait(), [[reader, "HUP"]]);
  assertEquals(epoll.wait(), []);
});

fact("F_DUPFD_CLOEXEC gives a descriptor that closes on exec", (ends) => {
  const dup = ends.dup(ends.eventfd());
  assertEquals(ends.calls.fcntl(dup, F_GETFD, 0), FD_CLOEXEC);
});

fact(
  "a look at an epoll descriptor takes nothing from it",
  (ends, epoll, world) => {
    using outer = new RawEpoll(8, world.calls);
    const counter = ends.eventfd(1);
    epoll.add(counter, EPOLLIN | EPOLLET);
    outer.add(epoll.fd, EPOLLIN);
    for (let round = 0; round < 3; round++) {
      assertEquals(outer.wait(), [[epoll.fd, "IN"]]);
    }
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    assertEquals(outer.wait(), []);
  },
);

fact(
  "an interest in nothing still reports a hang-up, at every wait",
  (ends, epoll) => {
    const [reader, writer] = ends.pipe();
    epoll.add(reader, 0);
    ends.close(writer);
    for (let round = 0; round < 3; round++) {
      assertEquals(epoll.wait(), [[reader, "HUP"]]);
    }
  },
);

fact("a disarmed one-shot hides hang-up and error", (ends, epoll) => {
  const [reader, writer] = ends.pipe();
  epoll.add(reader, EPOLLIN | EPOLLONESHOT);
  ends.calls.write(writer, one);
  assertEquals(epoll.wait(), [[reader, "IN"]]);
  ends.close(writer);
  assertEquals(epoll.wait(), []);
});

fact(
  "an exclusive entry may not be one-shot, ask for RDHUP, or be modified",
  (ends, epoll) => {
    const counter = ends.eventfd(1);
    const mask = EPOLLIN | EPOLLEXCLUSIVE;
    assertEquals(epoll.add(counter, mask | EPOLLONESHOT), -EINVAL);
    assertEquals(epoll.add(counter, mask | EPOLLRDHUP), -EINVAL);
    assertEquals(epoll.add(counter, mask), 0);
    assertEquals(epoll.modify(counter, EPOLLIN), -EINVAL);
    assertEquals(epoll.modify(counter, mask), -EINVAL);
  },
);

fact(
  "after close() events go on under the old number while a duplicate lives",
  (ends, epoll) => {
    const counter = ends.eventfd();
    const dup = ends.dup(counter);
    epoll.add(counter, EPOLLIN);
    ends.close(counter);
    ends.calls.write(dup, one);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    assertEquals(epoll.remove(counter), -EBADF);
    assertEquals(epoll.remove(dup), -ENOENT);
    assertEquals(epoll.wait(), [[counter, "IN"]]);
    ends.close(dup);
    assertEquals(epoll.wait(), []);
  },
);

fact("the lowest number that is free is the next descriptor", (ends) => {
  const first = ends.eventfd();
  const second = ends.eventfd();
  ends.close(first);
  assertEquals(ends.eventfd(), first);
  ends.close(second);
  assertEquals(ends.dup(first), second);
});

fact("a refused connect reports all, and its error once", (ends, epoll) => {
  const listener = ends.listener("tcp");
  const name = ends.nameOf(listener);
  ends.close(listener);
  const client = ends.socket("tcp");
  ends.calls.connect(client, name);
  epoll.add(client, ALL);
  assertEquals(soon(epoll), [[client, "IN|OUT|RDHUP|ERR|HUP"]]);
  const error = new Int32Array(1);
  const bytes = new Uint8Array(error.buffer);
  ends.calls.getsockopt(client, SOL_SOCKET, SO_ERROR, bytes);
  assertEquals(error[0], ECONNREFUSED);
  ends.calls.getsockopt(client, SOL_SOCKET, SO_ERROR, bytes);
  assertEquals(error[0], 0);
});

fact(
  "a TCP socket that was never connected reports OUT and HUP at once",
  (ends, epoll) => {
    const fresh = ends.socket("tcp");
    epoll.add(fresh, ALL);
    assertEquals(epoll.wait(), [[fresh, "OUT|HUP"]]);
  },
);

for (const family of ["unix", "tcp"] as const) {
  fact(`half a close reports IN, OUT and RDHUP (${family})`, (ends, epoll) => {
    const [client, server] = ends.pair(family);
    ends.calls.shutdown(client, SHUT_WR);
    until(ends, server, "IN|OUT|RDHUP");
    epoll.add(server, ALL);
    assertEquals(epoll.wait(), [[server, "IN|OUT|RDHUP"]]);
  });
}

fact(
  "an RST reports all, and what came before it is read first",
  (ends, epoll) => {
    const [client, server] = ends.pair("tcp");
    ends.calls.write(client, one);
    until(ends, server, "IN|OUT");
    ends.reset(client);
    until(ends, server, "IN|OUT|RDHUP|ERR|HUP");
    epoll.add(server, ALL);
    assertEquals(epoll.wait(), [[server, "IN|OUT|RDHUP|ERR|HUP"]]);
    const buffer = new Uint8Array(16);
    assertEquals(ends.calls.recv(server, buffer, 0), 8);
    assertEquals(ends.calls.recv(server, buffer, 0), -ECONNRESET);
    assertEquals(ends.calls.recv(server, buffer, 0), 0);
  },
);

fact(
  "a pipe whose writer is gone reports HUP, and IN only with data",
  (ends, epoll) => {
    const [reader, writer] = ends.pipe();
    epoll.add(reader, EPOLLIN);
    ends.calls.write(writer, one);
    ends.close(writer);
    assertEquals(epoll.wait(), [[reader, "IN|HUP"]]);
    ends.calls.read(reader, new Uint8Array(8));
    assertEquals(epoll.wait(), [[reader, "HUP"]]);
  },
);

fact("a pipe whose reader is gone reports ERR", (ends, epoll) => {
  const [reader, writer] = ends.pipe();
  epoll.add(writer, EPOLLOUT);
  ends.close(reader);
  assertEquals(epoll.wait(), [[writer, "OUT|ERR"]]);
});

fact("a unix connect to a full backlog gives EAGAIN", (ends) => {
  const listener = ends.listener("unix", 0);
  const connect = () =>
    ends.calls.connect(ends.socket("unix"), ends.nameOf(listener));
  assertEquals([connect(), connect()], [0, -EAGAIN]);
  ends.accept(listener);
  assertEquals([connect(), connect()], [0, -EAGAIN]);
});

fact(
  "epoll_ctl refuses what is there, what is not, itself, and a cycle",
  (ends, epoll, world) => {
    using other = new RawEpoll(8, world.calls);
    const counter = ends.eventfd();
    assertEquals(epoll.modify(counter, EPOLLIN), -ENOENT);
    assertEquals(epoll.remove(counter), -ENOENT);
    assertEquals(epoll.add(counter, EPOLLIN), 0);
    assertEquals(epoll.add(counter, EPOLLIN), -EEXIST);
    assertEquals(epoll.add(-1, EPOLLIN), -EBADF);
    assertEquals(epoll.add(epoll.fd, EPOLLIN), -EINVAL);
    assertEquals(epoll.add(other.fd, EPOLLIN | EPOLLEXCLUSIVE), -EINVAL);
    assertEquals(epoll.add(other.fd, EPOLLIN), 0);
    assertEquals(other.add(epoll.fd, EPOLLIN), -ELOOP);
    const nothing = ends.own(world.calls.open("/dev/null", O_RDONLY));
    assertEquals(epoll.add(nothing, EPOLLIN), -EPERM);
    const words = new Int32Array(4);
    assertEquals(world.calls.epoll_wait(epoll.fd, words, 0, 0), -EINVAL);
  },
);

fact("sets may be nested five deep", (ends, epoll, world) => {
  const counter = ends.eventfd(1);
  epoll.add(counter, EPOLLIN);
  let inner = epoll;
  const sets: RawEpoll[] = [];
  for (let depth = 2; depth <= 5; depth++) {
    const outer = new RawEpoll(8, world.calls);
    sets.push(outer);
    assertEquals(outer.add(inner.fd, EPOLLIN), 0);
    assertEquals(outer.wait(), [[inner.fd, "IN"]]);
    inner = outer;
  }
  using last = new RawEpoll(8, world.calls);
  assertEquals(last.add(inner.fd, EPOLLIN), -ELOOP);
  for (const set of sets) world.calls.close(set.fd);
});

fact(
  "thirteen ready descriptors are reported by threes in turn, the drained ones once",
  (ends, _epoll, world) => {
    using level = new RawEpoll(3, world.calls);
    const counters = Array.from({ length: 13 }, () => ends.eventfd(1));
    for (const counter of counters) level.add(counter, EPOLLIN);
    const reported = Array.from({ length: 13 }, () => level.wait()).flat();
    assertEquals(
      reported.map(([fd]) => fd),
      [...counters, ...counters, ...counters],
    );
    const counts = Array.from({ length: 6 }, () => {
      const reports = level.wait();
      for (const [fd] of reports) world.calls.read(fd, new Uint8Array(8));
      return reports.length;
    });
    assertEquals(counts, [3, 3, 3, 3, 1, 0]);
  },
);

fact(
  "edge: a second write without a read in between is a new event",
  (ends, epoll) => {
    const [pipeReader, pipeWriter] = ends.pipe();
    const [client, server] = ends.pair("unix");
    const cases = [[pipeReader, pipeWriter], [server, client]];
    for (const [reader, writer] of cases) {
      epoll.add(reader, EPOLLIN | EPOLLET);
      for (let round = 0; round < 2; round++) {
        ends.calls.write(writer, one);
        assertEquals(epoll.wait(), [[reader, "IN"]]);
        assertEquals(epoll.wait(), []);
      }
    }
  },
);

fact(
  "edge: a full pipe that is read tells of room once, when a page is free",
  (ends, epoll) => {
    const [reader, writer] = ends.pipe();
    const page = new Uint8Array(4096);
    while (ends.calls.write(writer, page) === page.length);
    epoll.add(writer, EPOLLOUT | EPOLLET);
    assertEquals(epoll.wait(), []);
    ends.calls.read(reader, page.subarray(1));
    assertEquals(epoll.wait(), []);
    ends.calls.read(reader, page);
    assertEquals(epoll.wait(), [[writer, "OUT"]]);
    ends.calls.read(reader, page);
    assertEquals(epoll.wait(), []);
  },
);

fact(
  "edge: what the peer reads from a unix socket is a new event",
  (ends, epoll) => {
    const [client, server] = ends.pair("unix");
    epoll.add(client, EPOLLIN | EPOLLOUT | EPOLLET);
    ends.calls.write(client, one);
    assertEquals(epoll.wait(), [[client, "OUT"]]);
    ends.calls.read(server, new Uint8Array(8));
    assertEquals(epoll.wait(), [[client, "OUT"]]);
    assertEquals(epoll.wait(), []);
  },
);
