/** Batches, queues and budgets of datagram sockets, counted in system calls. */
import { assert, assertEquals } from "@std/assert";
import { type Datagram, Engine, type SocketAddress } from "../mod.ts";
import * as c from "../ffi/mod.ts";
import type { MessageVector } from "../ffi/messages.ts";
import { DatagramEnd } from "./support/datagram_peer.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  countingTest,
  engineTest,
  runUntil,
  settle,
  TRIGGERS,
  triggerTest,
} from "./support/net_engine.ts";
import { generator } from "./support/random.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => `${index}`);

countingTest(
  "a batch takes one recvmmsg and its answers one sendmmsg",
  (engine, counting) => {
    let got = 0;
    const socket = engine.datagram({ port: 0 }, {
      data(datagram, chunk, from) {
        got++;
        datagram.send(chunk, from);
      },
    });
    const ends = Array.from({ length: 5 }, () => DatagramEnd.to(socket.port));
    settle(engine);
    for (const count of [1, 10, 63]) {
      counting.reset();
      got = 0;
      for (let index = 0; index < count; index++) {
        ends[index % 5].send(
          `${index}`,
        );
      }
      runUntil(engine, () => got === count);
      settle(engine);
      assertEquals(counting.count("recvmmsg", socket.fd), 1);
      assertEquals(counting.count("sendmmsg", socket.fd), 1);
      assertEquals(counting.count("epoll_ctl"), 0);
      assertEquals(ends.flatMap((end) => end.receiveAll()).length, count);
    }
    // A batch that is full may not be all.
    counting.reset();
    got = 0;
    for (let index = 0; index < 64; index++) ends[0].send("x");
    runUntil(engine, () => got === 64);
    settle(engine);
    assertEquals(counting.count("recvmmsg", socket.fd), 2);
    for (const closable of [...ends, socket]) closable.close();
  },
);

countingTest(
  "a full queue is sent at once, in one call",
  (engine, counting) => {
    using end = new DatagramEnd();
    const socket = engine.datagram(
      { remote: { port: end.port }, queueMax: 10 },
      {},
    );
    for (const text of texts(25)) assert(socket.send(bytesOf(text)));
    assertEquals(counting.count("sendmmsg"), 2);
    assertEquals(socket.queued, 5);
    settle(engine);
    assertEquals(counting.count("sendmmsg"), 3);
    assertEquals(end.receiveAll(), texts(25));
    socket.close();
  },
);

countingTest(
  "the queue's memory grows to its limit, and what is larger goes alone",
  (engine, counting) => {
    using end = new DatagramEnd();
    const limits = { queueMax: 100, bufferMax: 40_000 };
    const socket = engine.datagram(
      { remote: { port: end.port }, ...limits },
      {},
    );
    const sizes = [100, 15_000, 15_000, 9_000, 50_000, 50_000, 100, 0];
    for (const size of sizes) assert(socket.send(new Uint8Array(size)));
    settle(engine);
    const received = sizes.map(() => end.receive()?.length);
    assertEquals(received, sizes);
    assertEquals(counting.count("sendmmsg"), 4);
    socket.close();
  },
);

countingTest(
  "pause() and resume() make no system call and lose nothing",
  (engine, counting) => {
    const got: string[] = [];
    const socket = engine.datagram({ port: 0 }, {
      data(datagram, chunk) {
        got.push(textOf(chunk));
        if (got.length === 2) datagram.pause();
      },
    });
    using end = DatagramEnd.to(socket.port);
    settle(engine);
    for (const text of texts(5)) end.send(text);
    runUntil(engine, () => got.length === 2);
    settle(engine);
    assertEquals(got, texts(2));
    end.send("5");
    counting.reset();
    socket.resume();
    socket.pause();
    socket.pause();
    socket.resume();
    socket.resume();
    assertEquals(counting.log, []);
    runUntil(engine, () => got.length === 6);
    assertEquals(got, texts(6));
    socket.close();
  },
);

engineTest(
  "sockets that paused within a batch do not touch each other's",
  (engine) => {
    const got: string[][] = [[], [], []];
    const sockets = got.map((list) =>
      engine.datagram({ port: 0 }, {
        data(datagram, chunk) {
          list.push(textOf(chunk));
          datagram.pause();
        },
      })
    );
    const ends = sockets.map(({ port }) => DatagramEnd.to(port));
    for (const text of texts(4)) {
      for (const [index, end] of ends.entries()) end.send(`${index}:${text}`);
    }
    runUntil(engine, () => {
      for (const socket of sockets) socket.resume();
      return got.every((list) => list.length === 4);
    });
    for (const [index, list] of got.entries()) {
      assertEquals(list, texts(4).map((text) => `${index}:${text}`));
    }
    for (const closable of [...sockets, ...ends]) closable.close();
  },
);

engineTest(
  "a handler may turn the engine: each datagram is handed over once",
  (engine) => {
    const got: string[] = [];
    const other: string[] = [];
    const second = engine.datagram({ port: 0 }, {
      data: (_datagram, chunk) => void other.push(textOf(chunk)),
    });
    using secondEnd = DatagramEnd.to(second.port);
    const socket = engine.datagram({ port: 0 }, {
      data(_datagram, chunk) {
        got.push(textOf(chunk));
        secondEnd.send(`other ${textOf(chunk)}`);
        if (got.length === 1) settle(engine);
      },
    });
    using end = DatagramEnd.to(socket.port);
    for (const text of texts(5)) end.send(text);
    runUntil(engine, () => other.length === 5);
    assertEquals([...got].sort(), texts(5));
    assertEquals([...other].sort(), texts(5).map((text) => `other ${text}`));
    socket.close();
    second.close();
  },
);

triggerTest("a flooded socket does not hold up others", (trigger) => {
  // As if datagrams arrived faster than they can be handled.
  const flood = (fd: number, vector: MessageVector, count: number): number => {
    if (fd !== flooded.fd) return c.recvmmsg(fd, vector, count);
    for (let index = 0; index < count; index++) {
      vector.words[(index * c.mmsghdr.size + c.mmsghdr.msg_len) / 4] = 1;
    }
    return count;
  };
  using engine = new Engine({ trigger }, replacing({ recvmmsg: flood }));
  let handled = 0;
  const at: number[] = [];
  const flooded = engine.datagram({ port: 0 }, { data: () => void handled++ });
  const quiet = engine.datagram({ port: 0 }, {
    data(_datagram, chunk) {
      at.push(handled);
      if (chunk.length > 0) engine.stop();
    },
  });
  using starter = DatagramEnd.to(flooded.port);
  using end = DatagramEnd.to(quiet.port);
  starter.send("x");
  end.send("");
  engine.timer(0, () => end.send("later"));
  engine.run();
  assert(at[0] <= 512, `The first was handled after ${at[0]} of the flood`);
  assert(at[1] <= 1024, `The second was handled after ${at[1]} of the flood`);
});

/** A socket whose sends the test answers: a count of messages, or an error. */
class Sending implements Disposable {
  readonly engine: Engine;
  readonly socket: Datagram;
  readonly end = new DatagramEnd();
  readonly log: string[] = [];
  /** Answers to come; the kernel's own when there is none. */
  answers: number[] = [];

  constructor(trigger: "edge" | "level", queueMax = 8) {
    const calls = replacing({
      sendmmsg: (fd, vector, start, count, flags) => {
        const answer = this.answers.shift() ?? count;
        if (answer < 0) return answer;
        const sent = Math.min(answer, count);
        return c.sendmmsg(fd, vector, start, sent, flags);
      },
    });
    this.engine = new Engine({ trigger }, calls);
    const remote = { port: this.end.port };
    const options = { remote, queueMax, segments: false };
    this.socket = this.engine.datagram(options, {
      drain: () => void this.log.push(`drain ${this.socket.queued}`),
      error: (_datagram, { code }) => void this.log.push(`error ${code}`),
      close: () => void this.log.push("close"),
    });
  }

  [Symbol.dispose](): void {
    this.engine.close();
    this.end.close();
  }
}

triggerTest(
  "when the kernel takes no more the queue waits, and goes on in order",
  (trigger) => {
    using sending = new Sending(trigger);
    const { engine, socket, end, log } = sending;
    sending.answers = [3, -c.EAGAIN, -c.EAGAIN, 1, -c.EINTR, 2, -c.EAGAIN];
    for (const text of texts(8)) assert(socket.send(bytesOf(text)));
    runUntil(engine, () => socket.queued === 0);
    settle(engine);
    assertEquals(end.receiveAll(), texts(8));
    // Nothing was refused.
    assertEquals(log, []);
  },
);

triggerTest(
  "a full queue refuses, and drain is called once when it is empty",
  (trigger) => {
    using sending = new Sending(trigger);
    const { engine, socket, end, log } = sending;
    sending.answers = [-c.EAGAIN];
    const accepted = texts(12).map((text) => socket.send(bytesOf(text)));
    assertEquals(accepted.filter(Boolean).length, 8);
    assertEquals([socket.queued, log], [8, []]);
    runUntil(engine, () => log.length > 0);
    settle(engine);
    assertEquals(log, ["drain 0"]);
    assertEquals(end.receiveAll(), texts(8));
    assert(socket.send(bytesOf("more")));
    settle(engine);
    assertEquals(log, ["drain 0"]);
  },
);

triggerTest("drain follows flush(), and not inside it", (trigger) => {
  using sending = new Sending(trigger);
  const { engine, socket, log } = sending;
  sending.answers = [-c.EAGAIN];
  for (const text of texts(9)) socket.send(bytesOf(text));
  socket.flush();
  assertEquals([socket.queued, log], [0, []]);
  settle(engine);
  assertEquals(log, ["drain 0"]);
});

triggerTest(
  "an error between others is told, drops one, and the queue goes on",
  (trigger) => {
    using sending = new Sending(trigger);
    const { engine, socket, end, log } = sending;
    // A connected socket's error may be of an earlier one: it is tried again.
    sending.answers = [2, -c.ENOBUFS, -c.ENOBUFS, 1, -c.EPERM, 3];
    for (const text of texts(8)) assert(socket.send(bytesOf(text)));
    settle(engine);
    assertEquals(end.receiveAll(), texts(8).filter((text) => text !== "2"));
    assertEquals(log, ["error ENOBUFS", "error EPERM"]);
  },
);

triggerTest(
  "waiting for room costs two epoll_ctl, and an idle socket none",
  (trigger) => {
    using sending = new Sending(trigger);
    const { engine, socket } = sending;
    settle(engine);
    const { changesMade } = engine.metrics;
    socket.send(bytesOf("a"));
    settle(engine);
    assertEquals(engine.metrics.changesMade, changesMade);
    sending.answers = [-c.EAGAIN];
    socket.send(bytesOf("b"));
    settle(engine);
    assertEquals(socket.queued, 0);
    assertEquals(engine.metrics.changesMade, changesMade + 2);
  },
);

triggerTest(
  "close() while the queue waits sends what it can, and ends the wait",
  (trigger) => {
    using sending = new Sending(trigger);
    const { engine, socket, end, log } = sending;
    sending.answers = [-c.EAGAIN, 2, -c.EAGAIN];
    for (const text of texts(4)) socket.send(bytesOf(text));
    socket.flush();
    socket.close();
    settle(engine);
    assertEquals(end.receiveAll(), texts(2));
    assertEquals([log, socket.queued], [["close"], 0]);
  },
);

const unixName = () => `\0${crypto.randomUUID()}`;

for (const connected of [true, false]) {
  const kind = connected ? "connected" : "unconnected";
  engineTest(
    `${kind}: a unix receiver with a full queue gets all, in order, when it reads`,
    (engine) => {
      using end = new DatagramEnd({ family: "unix-unnamed" });
      const { name } = end.address as { name: string };
      const options = connected
        ? { remote: { path: `\0${name}` } }
        : { path: unixName() };
      const to = connected ? [] as const : [end.address] as const;
      let drained = 0;
      const socket = engine.datagram({ ...options, queueMax: 300 }, {
        drain: () => void drained++,
      });
      let accepted = 0;
      // More than the kernel holds for one receiver.
      while (accepted < 5000) {
        if (!socket.send(bytesOf(`${accepted}`), ...to)) break;
        accepted++;
      }
      assert(accepted < 5000 && socket.queued > 0);
      settle(engine);
      assert(socket.queued > 0);
      const got: string[] = [];
      runUntil(engine, () => {
        got.push(...end.receiveAll());
        return drained === 1;
      });
      got.push(...end.receiveAll());
      assertEquals(got, texts(accepted));
      socket.close();
    },
  );
}

for (const connected of [true, false]) {
  const kind = connected ? "connected elsewhere" : "unconnected";
  engineTest(
    `${kind}: waiting for a full unix receiver does not spin`,
    (engine) => {
      using end = new DatagramEnd({ family: "unix-unnamed" });
      using peer = new DatagramEnd({ family: "unix-unnamed" });
      const { name } = peer.address as { name: string };
      const options = connected
        ? { remote: { path: `\0${name}` } }
        : { path: unixName() };
      const socket = engine.datagram({ ...options, queueMax: 300 }, {});
      let accepted = 0;
      while (socket.send(bytesOf(`${accepted}`), end.address)) accepted++;
      settle(engine);
      const { turns } = engine.metrics;
      engine.timer(100, () => engine.stop());
      engine.run();
      // An attempt after 1 ms, then 2, 4 and so on.
      const made = engine.metrics.turns - turns;
      assert(made < 20, `${made} turns`);
      const got: string[] = [];
      runUntil(engine, () => {
        got.push(...end.receiveAll());
        return socket.queued === 0;
      });
      got.push(...end.receiveAll());
      assertEquals(got, texts(accepted));
      socket.close();
    },
  );
}

for (const trigger of TRIGGERS) {
  test(`beside the runtime's loop, what is sent from a promise goes out (${trigger})`, async () => {
    using engine = new Engine({ trigger });
    const got = Promise.withResolvers<string>();
    const server = engine.datagram({ port: 0 }, {
      data: (datagram, chunk, from) => void datagram.send(chunk, from),
    });
    const client = engine.datagram({ remote: { port: server.port } }, {
      data: (_datagram, chunk) => got.resolve(textOf(chunk)),
    });
    const running = engine.start();
    // The engine is asleep by then.
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.send(bytesOf("awake"));
    assertEquals(await got.promise, "awake");
    engine.stop();
    await running;
  });
}

triggerTest(
  "whatever the kernel answers, each datagram arrives once or its error is told",
  (trigger) => {
    const random = generator(12345);
    const refused = [c.EMSGSIZE, c.ENOBUFS, c.EPERM, c.EINVAL, c.EIO];
    for (let round = 0; round < 20; round++) {
      const calls = replacing({
        sendmmsg(fd, vector, start, count, flags) {
          const dice = random(10);
          if (dice === 0) return -c.EAGAIN;
          if (dice === 1) return -c.EINTR;
          if (dice === 2) return -refused[random(refused.length)];
          const some = dice < 6 ? 1 + random(count) : count;
          return c.sendmmsg(fd, vector, start, some, flags);
        },
      });
      using engine = new Engine({ trigger }, calls);
      using end = new DatagramEnd();
      const got: string[] = [];
      const lost: string[] = [];
      const accepted: string[] = [];
      const address = end.address as SocketAddress & { port: number };
      const socket = engine.datagram(
        {
          port: 0,
          queueMax: 1 + random(20),
          bufferMax: 1 + random(5000),
          segments: round % 4 !== 0,
        },
        { error: (_datagram, error) => void lost.push(`${error.address}`) },
      );
      for (let index = 0; index < 300; index++) {
        const text = `${index} `.padEnd(1 + 80 * random(4), "x");
        if (socket.send(bytesOf(text), address)) accepted.push(text);
        if (random(8) === 0) settle(engine);
        got.push(...end.receiveAll());
      }
      runUntil(engine, () => socket.queued === 0);
      settle(engine);
      got.push(...end.receiveAll());
      assertEquals(got.length + socket.errors, accepted.length);
      // In order, with nothing but what was refused left out.
      let at = -1;
      for (const text of got) {
        const place = accepted.indexOf(text, at + 1);
        assert(place > at, `${text} came out of order`);
        at = place;
      }
      assert(lost.every((to) => to === `127.0.0.1:${address.port}`));
      socket.close();
    }
  },
);
