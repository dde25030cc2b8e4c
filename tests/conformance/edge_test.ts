/** What edge triggering promises, by the kernel and through the engine. */
import { assert, assertEquals } from "@std/assert";
import { Engine, type FdEvent, type Trigger } from "../../mod.ts";
import {
  check,
  connect,
  EAGAIN,
  EINPROGRESS,
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
  F_SETPIPE_SZ,
  fcntl,
  POLLOUT,
  read,
  systemCalls,
  write,
} from "../../ffi/mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { test } from "../support/descriptors.ts";
import type { ByteWriterTask } from "./byte_writer_thread.ts";
import type { DrainerTask } from "./drainer_thread.ts";
import {
  add,
  Files,
  loopback,
  type Pair,
  PATIENCE_MS,
  put,
  waitFor,
  waitForBytes,
  waitReadable,
} from "./files.ts";
import { RawEpoll } from "./raw_epoll.ts";
import { Recorder } from "./recorder.ts";
import { awaitWord, raiseWord, sharedWords, Thread } from "./thread.ts";
import type { WaiterTask } from "./waiter_thread.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const REARMS = 100_000;
const RACES = 10_000;
/** A page: less than that can leave room in a full pipe's last one. */
const PAGE = 4_096;
/** More than any channel holds. */
const LARGE = 64 * 1_024 * 1_024;

/** Something that one end writes to and the other reads from. */
interface Channel {
  name: string;
  /** The reading end, then the writing end. */
  open(files: Files): Pair;
  /** Writes the smallest amount there is. */
  send(writer: number): void;
  /** Waits until so many of those have arrived. */
  arrive(reader: number, count: number): void;
}

const UNIX: Channel = {
  name: "unix socket",
  open: (files) => files.unixPair(),
  send: (writer) => put(writer),
  arrive: waitForBytes,
};
const TCP: Channel = { ...UNIX, name: "TCP", open: (files) => files.tcpPair() };
const PIPE: Channel = {
  ...UNIX,
  name: "pipe",
  open: (files) => files.pipe(),
  // A pipe is written to at once.
  arrive: waitReadable,
};
const EVENTFD: Channel = {
  ...PIPE,
  name: "eventfd",
  open(files) {
    const fd = files.eventfd();
    return [fd, fd];
  },
  send: (writer) => add(writer),
};
const CHANNELS = [UNIX, TCP, PIPE, EVENTFD];

/** Writes until it would block; gives back the bytes. */
function fill(fd: number): number {
  const chunk = new Uint8Array(PAGE);
  for (let total = 0;;) {
    const count = write(fd, chunk);
    if (count === -EAGAIN) return total;
    total += check(count, "write");
  }
}

/** Reads so many bytes, and waits for them where they are on their way. */
function drain(fd: number, bytes: number): void {
  const buffer = new Uint8Array(64 * 1_024);
  for (let left = bytes; left > 0;) {
    const count = read(fd, buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === -EAGAIN) waitReadable(fd);
    else left -= check(count, "read");
  }
}

for (const channel of CHANNELS) {
  test(`${channel.name}: the kernel reports two writes as one edge, and one more when more is written`, () => {
    using files = new Files();
    using epoll = new RawEpoll();
    const [reader, writer] = channel.open(files);
    assertEquals(epoll.add(reader, EPOLLIN | EPOLLET), 0);
    channel.send(writer);
    channel.send(writer);
    channel.arrive(reader, 2);
    assertEquals(epoll.wait(), [[reader, "IN"]]);
    assertEquals(epoll.wait(), []);
    channel.send(writer);
    channel.arrive(reader, 3);
    assertEquals(epoll.wait(), [[reader, "IN"]]);
    assertEquals(epoll.wait(), []);
  });

  test(`${channel.name}: an edge engine calls the handler once for two writes, and again when more is written without draining`, () => {
    using files = new Files();
    using engine = new Engine();
    const recorder = new Recorder();
    const [reader, writer] = channel.open(files);
    engine.register(reader, recorder.handlers("reader")).enableRead();
    engine.commit();
    channel.send(writer);
    channel.send(writer);
    channel.arrive(reader, 2);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
    channel.send(writer);
    channel.arrive(reader, 3);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["reader read", "reader read"]);
  });

  test(`${channel.name}: the kernel reports what is ready once more after a MOD of the same mask, and after DEL and ADD`, () => {
    using files = new Files();
    using epoll = new RawEpoll();
    const [reader, writer] = channel.open(files);
    const mask = EPOLLIN | EPOLLET | EPOLLRDHUP;
    epoll.add(reader, mask);
    channel.send(writer);
    channel.arrive(reader, 1);
    assertEquals(epoll.wait(), [[reader, "IN"]]);
    for (let round = 0; round < 3; round++) {
      assertEquals(epoll.wait(), []);
      assertEquals(epoll.modify(reader, mask), 0);
      assertEquals(epoll.wait(), [[reader, "IN"]]);
      assertEquals(epoll.wait(), []);
      assertEquals(epoll.remove(reader), 0);
      assertEquals(epoll.add(reader, mask), 0);
      assertEquals(epoll.wait(), [[reader, "IN"]]);
    }
    assertEquals(epoll.wait(), []);
  });
}

test("edge: enableRead() on an active direction that is not known to be ready makes one MOD, and what is there is told once more", () => {
  using files = new Files();
  const kernel = new CountingCalls(systemCalls);
  using engine = new Engine({}, kernel.calls);
  const recorder = new Recorder();
  const event = engine.register(files.eventfd(1), recorder.handlers("counter"));
  event.enableRead();
  assertEquals(engine.turn(0), 1);
  for (let round = 0; round < 3; round++) {
    event.readReady = false;
    event.enableRead();
    event.enableRead();
    kernel.reset();
    assertEquals(engine.commit(), 1);
    assertEquals(kernel.count("epoll_ctl"), 1);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 0);
  }
  assertEquals(recorder.take(), new Array(4).fill("counter read"));
});

test("edge: enableRead() on an active direction that is known to be ready calls the handler again without a system call", () => {
  using files = new Files();
  const kernel = new CountingCalls(systemCalls);
  using engine = new Engine({}, kernel.calls);
  const recorder = new Recorder();
  const event = engine.register(files.eventfd(1), recorder.handlers("counter"));
  event.enableRead();
  engine.turn(0);
  recorder.take();
  kernel.reset();
  event.enableRead();
  assertEquals(engine.turn(0), 1);
  assertEquals(engine.turn(0), 0);
  assertEquals(recorder.take(), ["counter read"]);
  assertEquals(kernel.count("epoll_ctl"), 0);
});

test("edge: disabling in one commit and enabling in the next tells what is ready once more", () => {
  using files = new Files();
  using engine = new Engine();
  const recorder = new Recorder();
  const event = engine.register(files.eventfd(1), recorder.handlers("counter"));
  event.enableRead();
  engine.turn(0);
  event.readReady = false;
  event.disableRead();
  assertEquals(engine.commit(), 1);
  event.enableRead();
  assertEquals(engine.commit(), 1);
  assertEquals(engine.turn(0), 1);
  assertEquals(engine.turn(0), 0);
  assertEquals(recorder.take(), ["counter read", "counter read"]);
});

test("the kernel loses none of 100,000 re-arms against a thread that waits", async () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const counted = sharedWords(1);
  const counter = files.eventfd(1);
  const mask = EPOLLIN | EPOLLONESHOT;
  const task: WaiterTask = { epfd: epoll.fd, events: REARMS, counted };
  const waiter = await Thread.start<number>("./waiter_thread.ts", task);
  epoll.add(counter, mask);
  for (let rearm = 1; rearm < REARMS; rearm++) {
    awaitWord(counted, 0, rearm);
    epoll.modify(counter, mask);
  }
  assertEquals(await waiter.result, REARMS);
  assertEquals(epoll.wait(), []);
});

test("an engine's 100,000 re-arms by enableRead() reach a thread that waits on its descriptor, none is lost", async () => {
  using files = new Files();
  using engine = new Engine();
  const counted = sharedWords(1);
  const event = engine.register(files.eventfd(1), {});
  const task: WaiterTask = { epfd: engine.fd, events: REARMS, counted };
  const waiter = await Thread.start<number>("./waiter_thread.ts", task);
  let calls = 0;
  for (let rearm = 0; rearm < REARMS; rearm++) {
    awaitWord(counted, 0, rearm);
    event.enableRead();
    calls += engine.commit();
  }
  assertEquals(await waiter.result, REARMS);
  assertEquals(calls, REARMS);
  assertEquals(engine.poll(0), 0);
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: a one-shot that its handler arms again loses none of ${REARMS} units that a thread writes meanwhile`, async () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const taken = sharedWords(1);
    const counter = files.eventfd();
    let received = 0;
    const value = new BigUint64Array(1);
    const event = engine.register(counter, {
      read(event) {
        if (event.read(new Uint8Array(value.buffer)) > 0) {
          received += Number(value[0]);
          raiseWord(taken, 0, received);
        }
        event.oneshotRead();
      },
    });
    event.oneshotRead();
    const task: ByteWriterTask = {
      fd: counter,
      unit: new Uint8Array(BigUint64Array.of(1n).buffer),
      rounds: REARMS / 2,
      taken,
    };
    const writer = await Thread.start("./byte_writer_thread.ts", task);
    while (received < task.rounds) {
      assert(engine.turn(PATIENCE_MS) > 0, `lost after ${received}`);
    }
    await writer.result;
  });
}

for (const channel of [UNIX, TCP, PIPE]) {
  test(`${channel.name}: the kernel reports writable once, after that only when a write met EAGAIN and the peer has drained`, () => {
    using files = new Files();
    using epoll = new RawEpoll();
    const [peer, end] = channel.open(files);
    epoll.add(end, EPOLLOUT | EPOLLET);
    assertEquals(epoll.wait(), [[end, "OUT"]]);
    assertEquals(epoll.wait(), []);
    put(end, PAGE);
    assertEquals(epoll.wait(), []);
    const written = PAGE + fill(end);
    assertEquals(epoll.wait(), []);
    drain(peer, 1);
    assertEquals(epoll.wait(), []);
    drain(peer, written - 1);
    assertEquals(epoll.wait(PATIENCE_MS), [[end, "OUT"]]);
    assertEquals(epoll.wait(), []);
  });

  test(`${channel.name}: the kernel reports nothing after a short write until the peer has drained`, () => {
    using files = new Files();
    using epoll = new RawEpoll();
    const [peer, end] = channel.open(files);
    epoll.add(end, EPOLLOUT | EPOLLET);
    assertEquals(epoll.wait(), [[end, "OUT"]]);
    const written = write(end, new Uint8Array(LARGE));
    assert(written > 0 && written < LARGE, `wrote ${written}`);
    assertEquals(epoll.wait(), []);
    drain(peer, written);
    assertEquals(epoll.wait(PATIENCE_MS), [[end, "OUT"]]);
    assertEquals(epoll.wait(), []);
  });

  test(`${channel.name}: an edge engine whose handler stops at a short write hears of room when the peer has drained`, () => {
    using files = new Files();
    using engine = new Engine();
    const recorder = new Recorder();
    const [peer, end] = channel.open(files);
    let written = 0;
    const event = engine.register(
      end,
      recorder.handlers("end", {
        write(event) {
          if (written === 0) written = event.write(new Uint8Array(LARGE));
        },
      }),
    );
    event.enableWrite();
    assertEquals(engine.turn(0), 1);
    assert(written > 0 && written < LARGE, `wrote ${written}`);
    assertEquals(engine.turn(0), 0);
    drain(peer, written);
    assertEquals(engine.turn(PATIENCE_MS), 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["end write", "end write"]);
  });

  test(`${channel.name}: an edge engine tells of room once, then only after a write met EAGAIN and the peer has drained`, () => {
    using files = new Files();
    using engine = new Engine();
    const recorder = new Recorder();
    const [peer, end] = channel.open(files);
    const event = engine.register(end, recorder.handlers("end"));
    event.enableWrite();
    assertEquals(engine.turn(0), 1);
    assertEquals(event.writeReady, true);
    assertEquals(engine.turn(0), 0);
    assertEquals(event.write(new Uint8Array(PAGE)), PAGE);
    assertEquals(event.writeReady, true);
    assertEquals(engine.turn(0), 0);
    let written = PAGE;
    while (event.writeReady) {
      const count = event.write(new Uint8Array(PAGE));
      if (count > 0) written += count;
      else assertEquals(count, -EAGAIN);
    }
    drain(peer, 1);
    assertEquals(engine.turn(0), 0);
    assertEquals(event.writeReady, false);
    drain(peer, written - 1);
    assertEquals(engine.turn(PATIENCE_MS), 1);
    assertEquals(event.writeReady, true);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["end write", "end write"]);
  });
}

test("the kernel reports a fresh TCP socket as writable and hung up at once", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const socket = files.tcpSocket();
  epoll.add(socket, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
  assertEquals(epoll.wait(), [[socket, "OUT|HUP"]]);
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: a TCP socket that is enabled before it connects is not told to have failed, and is told once it is connected`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const { port } = files.listener();
    const socket = files.tcpSocket();
    const event = engine.register(socket, recorder.handlers("socket"));
    event.enable();
    engine.turn(0);
    assertEquals(recorder.take().filter((call) => call.includes("error")), []);
    assertEquals([event.readState, event.writeState], ["active", "active"]);
    const result = connect(socket, loopback(port));
    assert(result === 0 || result === -EINPROGRESS, `connect: ${result}`);
    waitFor(socket, POLLOUT);
    assert(engine.turn(0) > 0);
    const calls = recorder.take();
    assert(calls.includes("socket write"), `called: ${calls}`);
    assert(!calls.join().includes("error"), `called: ${calls}`);
    assertEquals(write(socket, new Uint8Array(1)), 1);
  });

  test(`${trigger}: a TCP connection reports neither open nor close before connect(2), and is registered after it`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const recorder = new Recorder();
    const { port } = files.listener();
    const connection = engine.connect({ port }, {
      open: () => recorder.note("open"),
      error: () => recorder.note("error"),
      close: () => recorder.note("close"),
    });
    assertEquals(recorder.take(), []);
    const order = kernel.log.map(({ name }) => name)
      .filter((name) => name === "connect" || name === "epoll_ctl");
    assertEquals(order.slice(0, 2), ["connect"]);
    while (engine.turn(PATIENCE_MS) === 0);
    engine.turn(0);
    assertEquals(recorder.take(), ["open"]);
    assertEquals(connection.closed, false);
  });
}

test("the kernel reports a peer's read as a fresh edge of a unix socket, not of TCP", () => {
  for (const [channel, edges] of [[UNIX, 1], [TCP, 0]] as const) {
    using files = new Files();
    using epoll = new RawEpoll();
    const [end, peer] = channel.open(files);
    epoll.add(end, EPOLLIN | EPOLLOUT | EPOLLET);
    put(end);
    put(peer);
    waitReadable(end);
    waitReadable(peer);
    assertEquals(epoll.wait(), [[end, "IN|OUT"]]);
    assertEquals(epoll.wait(), []);
    drain(peer, 1);
    assertEquals(epoll.wait(), new Array(edges).fill([end, "IN|OUT"]));
    assertEquals(epoll.wait(), []);
  }
});

for (const [channel, calls] of [[UNIX, 1], [TCP, 0]] as const) {
  test(`${channel.name}: a peer's read calls the handlers of an edge engine ${calls === 1 ? "once more" : "not at all"}`, () => {
    using files = new Files();
    using engine = new Engine();
    const recorder = new Recorder();
    const [end, peer] = channel.open(files);
    engine.register(end, recorder.handlers("end")).enable();
    put(end);
    put(peer);
    waitReadable(end);
    waitReadable(peer);
    engine.turn(0);
    assertEquals(recorder.take(), ["end read", "end write"]);
    drain(peer, 1);
    engine.turn(0);
    assertEquals(
      recorder.take(),
      calls === 1 ? ["end read", "end write"] : [],
    );
    assertEquals(engine.turn(0), 0);
  });
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: a handler that is called for nothing meets would-block, and the next byte is told`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const [end, peer] = files.unixPair();
    const counts: number[] = [];
    engine.register(end, {
      read: (event) => {
        counts.push(event.read(new Uint8Array(8)));
      },
    }).enableRead();
    put(peer);
    assertEquals(engine.poll(0), 1);
    drain(end, 1);
    assertEquals(engine.dispatch(), 1);
    assertEquals(counts, [-EAGAIN]);
    assertEquals(engine.turn(0), 0);
    put(peer, 2);
    assertEquals(engine.turn(0), 1);
    assertEquals(counts, [-EAGAIN, 2]);
  });

  test(`${trigger}: a unix connection whose peer reads gets no data and does not end`, () => {
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const path = `\0edgewise-${crypto.randomUUID()}`;
    engine.listen({ path }, {
      open: (connection) => void connection.write(new Uint8Array(16)),
      data: () => recorder.note("data"),
      end: () => recorder.note("end"),
      close: () => recorder.note("close"),
      error: () => recorder.note("error"),
    });
    let received = 0;
    const client = engine.connect({ path }, {
      data: (_, chunk) => void (received += chunk.length),
    });
    while (received < 16) assert(engine.turn(PATIENCE_MS) > 0);
    // The client has read: a fresh edge of the server's end, that brings nothing.
    engine.turn(0);
    engine.turn(0);
    assertEquals(recorder.take(), []);
    client.write(new Uint8Array(4));
    while (engine.turn(PATIENCE_MS) === 0);
    assertEquals(recorder.take(), ["data"]);
  });

  test(`${trigger}: a read or write that succeeds leaves the direction ready, EAGAIN does not`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const [end, peer] = files.unixPair();
    put(peer, 3);
    const event = engine.register(end, {});
    event.enable();
    engine.turn(0);
    assertEquals([event.readReady, event.writeReady], [true, true]);
    assertEquals(event.read(new Uint8Array(1)), 1);
    assertEquals(event.readReady, true);
    assertEquals(event.read(new Uint8Array(8)), 2);
    assertEquals(event.readReady, true);
    assertEquals(event.read(new Uint8Array(8)), -EAGAIN);
    assertEquals(event.readReady, false);
    let count;
    do {
      assertEquals(event.writeReady, true);
      count = event.write(new Uint8Array(64 * 1_024));
    } while (count > 0);
    assertEquals([count, event.writeReady], [-EAGAIN, false]);
  });

  for (const channel of CHANNELS) {
    test(`${trigger}: ${channel.name}: no byte is lost that a thread writes as the handler meets EAGAIN, in ${RACES} rounds`, async () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const [reader, writer] = channel.open(files);
      const taken = sharedWords(1);
      const counter = new BigUint64Array(1);
      const buffer = new Uint8Array(counter.buffer);
      let received = 0;
      const readAll = (event: FdEvent) => {
        for (;;) {
          const count = event.read(buffer);
          if (count === -EAGAIN) return;
          check(count, "read");
          received += channel === EVENTFD ? Number(counter[0]) : count;
          raiseWord(taken, 0, received);
        }
      };
      engine.register(reader, { read: readAll }).enableRead();
      const unit = channel === EVENTFD
        ? new Uint8Array(BigUint64Array.of(1n).buffer)
        : new Uint8Array(1);
      const task: ByteWriterTask = { fd: writer, unit, rounds: RACES, taken };
      const thread = await Thread.start("./byte_writer_thread.ts", task);
      while (received < RACES) {
        assert(engine.turn(PATIENCE_MS) > 0, `lost after ${received}`);
      }
      await thread.result;
      assertEquals(engine.turn(0), 0);
    });
  }

  for (const channel of [UNIX, TCP, PIPE]) {
    test(`${trigger}: ${channel.name}: no room is overlooked that a thread makes as the writer meets EAGAIN`, async () => {
      // A pipe of one page is full after one round.
      const bytes = channel === PIPE ? RACES * PAGE : LARGE;
      using files = new Files();
      using engine = new Engine({ trigger });
      const [reader, writer] = channel.open(files);
      if (channel === PIPE) check(fcntl(writer, F_SETPIPE_SZ, PAGE), "fcntl");
      const chunk = new Uint8Array(channel === PIPE ? PAGE : 64 * 1_024);
      let left = bytes;
      let blocked = 0;
      engine.register(writer, {
        write(event) {
          while (left > 0) {
            const count = event.write(
              left < chunk.length ? chunk.subarray(0, left) : chunk,
            );
            if (count === -EAGAIN) {
              blocked++;
              return;
            }
            left -= check(count, "write");
          }
        },
      }).enableWrite();
      const task: DrainerTask = { fd: reader, bytes };
      const thread = await Thread.start("./drainer_thread.ts", task);
      while (left > 0) {
        assert(engine.turn(PATIENCE_MS) > 0, `stuck with ${left} bytes left`);
      }
      await thread.result;
      assert(blocked > 0);
    });
  }
}
