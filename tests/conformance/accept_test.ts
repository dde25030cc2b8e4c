/** Accepting connections: exclusive entries, batches, limits, and what fails. */
import { assert, assertEquals } from "@std/assert";
import {
  type Connection,
  Engine,
  type FdEvent,
  type Trigger,
} from "../../mod.ts";
import {
  accept4,
  check,
  close,
  EAGAIN,
  ECONNABORTED,
  ECONNRESET,
  EINTR,
  EINVAL,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLPRI,
  EPOLLRDHUP,
  errnoName,
  F_GETFD,
  F_GETFL,
  fcntl,
  FD_CLOEXEC,
  O_NONBLOCK,
  read,
  recv,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  type SystemCalls,
  systemCalls,
} from "../../ffi/mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { test } from "../support/descriptors.ts";
import { epollEntry } from "../support/fdinfo.ts";
import { denoArgs, Program } from "../support/process.ts";
import {
  ACCEPTED,
  type AcceptTask,
  GO_ON,
  READY,
  STALLED,
  TOLD,
  WORDS,
} from "./accept_task.ts";
import type { EmfileReport } from "./emfile_program.ts";
import { add, Files, PATIENCE_MS, put, waitReadable } from "./files.ts";
import { maskText, RawEpoll } from "./raw_epoll.ts";
import { Recorder } from "./recorder.ts";
import { awaitWord, raiseWord, sharedWords, Thread } from "./thread.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const ENGINES = 4;

/** The kinds of listener that an engine can have. */
const LISTENERS = TRIGGERS.flatMap((trigger) =>
  [true, false].map((exclusive) => ({
    trigger,
    exclusive,
    name: `${trigger}, ${exclusive ? "exclusive" : "not exclusive"}`,
  }))
);

/** Turns until a condition holds. */
function turnUntil(engine: Engine, condition: () => boolean): void {
  while (!condition()) {
    assert(engine.turn(PATIENCE_MS) > 0, `${condition} never came true`);
  }
}

/** Accepts and closes all that is there; gives back how many. */
function acceptAll(listener: number): number {
  for (let count = 0;; count++) {
    const fd = accept4(listener, SOCK_CLOEXEC);
    if (fd === -EAGAIN) return count;
    close(check(fd, "accept4"));
  }
}

test("the kernel refuses an exclusive entry with ONESHOT, RDHUP or PRI, of an epoll set, and any MOD of or to one", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  using other = new RawEpoll();
  const { fd } = files.listener();
  const exclusive = EPOLLIN | EPOLLEXCLUSIVE;
  for (const bit of [EPOLLONESHOT, EPOLLRDHUP, EPOLLPRI]) {
    assertEquals(epoll.add(fd, exclusive | bit), -EINVAL, maskText(bit));
  }
  assertEquals(epoll.add(other.fd, exclusive), -EINVAL);
  assertEquals(epoll.add(fd, EPOLLIN), 0);
  assertEquals(epoll.modify(fd, exclusive), -EINVAL);
  epoll.remove(fd);
  assertEquals(epoll.add(fd, exclusive), 0);
  assertEquals(epoll.modify(fd, exclusive), -EINVAL);
  assertEquals(epoll.modify(fd, EPOLLIN), -EINVAL);
  assertEquals(epoll.remove(fd), 0);
  assertEquals(epoll.add(fd, exclusive | EPOLLET), 0);
});

const MUTINGS: [name: string, mute: (event: FdEvent) => void][] = [
  ["disable()", (event) => event.disable()],
  ["disableRead()", (event) => event.disableRead()],
  ["blockRead()", (event) => event.blockRead()],
  ["delete()", (event) => event.delete()],
];
const ENABLINGS: [
  name: string,
  mask: string,
  enable: (event: FdEvent) => void,
][] = [
  ["enableAccept()", "IN|EXCLUSIVE", (event) => event.enableAccept()],
  ["enable()", "", (event) => event.enable()],
  ["enableRead()", "", (event) => event.enableRead()],
  ["oneshotRead()", "IN|ONESHOT", (event) => event.oneshotRead()],
];

for (const trigger of TRIGGERS) {
  for (const committed of [true, false]) {
    for (const [muting, mute] of MUTINGS) {
      for (const [enabling, mask, enable] of ENABLINGS) {
        const batch = committed ? "" : " in one batch";
        test(`${trigger}: an exclusive listener goes on after ${muting} and ${enabling}${batch}`, () => {
          using files = new Files();
          using engine = new Engine({ trigger });
          const recorder = new Recorder();
          const { fd, port } = files.listener();
          const event = engine.register(fd, recorder.handlers("listener"));
          event.enableAccept();
          engine.commit();
          mute(event);
          if (committed) {
            engine.commit();
            assertEquals(epollEntry(engine.fd, fd), undefined);
          }
          enable(event);
          engine.commit();
          const kernel = maskText(epollEntry(engine.fd, fd)?.mask ?? 0);
          if (mask !== "") {
            assertEquals(kernel.replace("|ERR|HUP", ""), mask);
          }
          files.client(port);
          assert(engine.turn(PATIENCE_MS) > 0);
          assertEquals(recorder.take(), ["listener read"]);
          assertEquals(acceptAll(fd), 1);
        });
      }
    }
  }

  test(`${trigger}: a muted exclusive listener is told of what connected meanwhile`, () => {
    for (const [, mute] of MUTINGS) {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const { fd, port } = files.listener();
      const event = engine.register(fd, recorder.handlers("listener"));
      event.enableAccept();
      engine.commit();
      mute(event);
      files.client(port);
      waitReadable(fd);
      assertEquals(engine.turn(0), 0);
      event.enableAccept();
      assertEquals(engine.turn(0), 1);
      assertEquals(recorder.take(), ["listener read"]);
    }
  });

  test(`${trigger}: enableAccept() is told again as long as a connection waits, in an edge engine too`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const { fd, port } = files.listener();
    engine.register(fd, recorder.handlers("listener")).enableAccept();
    files.client(port);
    waitReadable(fd);
    assertEquals(engine.turn(0), 1);
    assertEquals(engine.turn(0), 1);
    acceptAll(fd);
    assertEquals(engine.turn(0), 0);
  });

  test(`${trigger}: enableAccept() of another engine's descriptor tells its error handler EINVAL, and leaves no entry`, () => {
    using engine = new Engine({ trigger });
    using other = new Engine();
    const recorder = new Recorder();
    const event = engine.register(other.fd, recorder.handlers("engine"));
    event.enableAccept();
    engine.turn(0);
    assertEquals(recorder.take(), ["engine error EINVAL"]);
    assertEquals(event.readState, "inactive");
    assertEquals(epollEntry(engine.fd, other.fd), undefined);
    // Any other entry is fine.
    event.enableRead();
    engine.turn(0);
    assertEquals(recorder.take(), []);
    assert(epollEntry(engine.fd, other.fd) !== undefined);
  });
}

/** Several engines on one listener, each in a worker. */
class Engines {
  readonly words = sharedWords(WORDS);
  readonly #files: Files;
  readonly #stop: number;
  readonly #threads: Thread[] = [];

  constructor(files: Files) {
    this.#files = files;
    this.#stop = files.eventfd();
  }

  /** Starts them, and waits until all of them wait. */
  async start(
    listener: number,
    task: Pick<AcceptTask, "trigger" | "exclusive" | "mode">,
  ): Promise<void> {
    for (let index = 0; index < ENGINES; index++) {
      const whole: AcceptTask = {
        ...task,
        // A listener of the engine closes the descriptor that it gets.
        listener: task.mode === "listen"
          ? this.#files.handOver(this.#files.dup(listener))
          : listener,
        stop: this.#stop,
        words: this.words,
      };
      this.#threads.push(await Thread.start("./accept_thread.ts", whole));
    }
    awaitWord(this.words, READY, ENGINES);
    for (const thread of this.#threads) thread.untilWaiting();
  }

  /** Ends them, and waits until they have ended. */
  async end(): Promise<void> {
    raiseWord(this.words, GO_ON, 1);
    add(this.#stop);
    for (const thread of this.#threads) await thread.result;
  }
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: a connection wakes all of ${ENGINES} engines that wait on one listener`, async () => {
    using files = new Files();
    const { fd, port } = files.listener();
    const engines = new Engines(files);
    await engines.start(fd, { trigger, exclusive: false, mode: "tell" });
    files.client(port);
    awaitWord(engines.words, TOLD, ENGINES);
    await engines.end();
    assertEquals(engines.words[TOLD], ENGINES);
  });

  test(`${trigger}: a connection wakes at least one and fewer than all of ${ENGINES} engines that wait exclusively`, async () => {
    using files = new Files();
    const { fd, port } = files.listener();
    const engines = new Engines(files);
    await engines.start(fd, { trigger, exclusive: true, mode: "tell" });
    files.client(port);
    awaitWord(engines.words, TOLD, 1);
    await engines.end();
    const told = engines.words[TOLD];
    assert(told >= 1 && told < ENGINES, `${told} were told`);
  });

  for (const exclusive of [true, false]) {
    const kind = exclusive ? "exclusively" : "together";
    test(`${trigger}: while one of ${ENGINES} engines that wait ${kind} stalls, the others accept`, async () => {
      const CONNECTS = 20;
      using files = new Files();
      const { fd, port } = files.listener();
      const engines = new Engines(files);
      await engines.start(fd, { trigger, exclusive, mode: "stall" });
      files.client(port);
      awaitWord(engines.words, STALLED, 1);
      for (let connect = 0; connect < CONNECTS; connect++) files.client(port);
      awaitWord(engines.words, ACCEPTED, CONNECTS + 1);
      await engines.end();
      assertEquals(engines.words[ACCEPTED], CONNECTS + 1);
    });

    test(`${trigger}: listeners of ${ENGINES} engines that wait ${kind} accept each connection once`, async () => {
      const CONNECTS = 300;
      using files = new Files();
      const { fd, port } = files.listener();
      const engines = new Engines(files);
      await engines.start(fd, { trigger, exclusive, mode: "listen" });
      for (let connect = 0; connect < CONNECTS; connect++) files.client(port);
      awaitWord(engines.words, ACCEPTED, CONNECTS);
      await engines.end();
      assertEquals(engines.words[ACCEPTED], CONNECTS);
      assertEquals(acceptAll(fd), 0);
    });
  }
}

test("edge: the kernel reports four queued connections as one edge of their listener", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const { fd, port } = files.listener();
  epoll.add(fd, EPOLLIN | EPOLLET);
  for (let connect = 0; connect < 4; connect++) files.client(port);
  assertEquals(epoll.wait(PATIENCE_MS), [[fd, "IN"]]);
  assertEquals(epoll.wait(), []);
  assertEquals(acceptAll(fd), 4);
});

test("edge: the handler of a listener is called once for four queued connections", () => {
  using files = new Files();
  using engine = new Engine();
  const { fd, port } = files.listener();
  const accepted: number[] = [];
  engine.register(fd, { read: () => void accepted.push(acceptAll(fd)) })
    .enableRead();
  engine.commit();
  for (let connect = 0; connect < 4; connect++) files.client(port);
  assertEquals(engine.turn(PATIENCE_MS), 1);
  assertEquals(engine.turn(0), 0);
  assertEquals(accepted, [4]);
});

for (const { trigger, exclusive, name } of LISTENERS) {
  for (const acceptBatch of [1, 2, 64, 1_000]) {
    test(`${name}: by batches of ${acceptBatch} all of 200 connections are accepted, and none more`, () => {
      const CONNECTS = 200;
      using files = new Files();
      using engine = new Engine({ trigger });
      let opened = 0;
      const listener = engine.listen({ exclusive, acceptBatch }, {
        open: () => void opened++,
      });
      for (let connect = 0; connect < CONNECTS; connect++) {
        files.client(listener.port);
      }
      turnUntil(engine, () => opened === CONNECTS);
      assertEquals(engine.turn(0), 0);
      assertEquals([opened, listener.connections], [CONNECTS, CONNECTS]);
      // Later ones too: nothing was left half way.
      files.client(listener.port);
      turnUntil(engine, () => opened === CONNECTS + 1);
    });
  }

  test(`${name}: connectionsMax is never exceeded, and those who wait come in as others leave`, () => {
    const CONNECTS = 12;
    const MAX = 3;
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const open = new Set<Connection>();
    let opened = 0;
    let most = 0;
    const listener = engine.listen({ exclusive, connectionsMax: MAX }, {
      open(connection) {
        opened++;
        open.add(connection);
        most = Math.max(most, open.size);
      },
      close: (connection) => void open.delete(connection),
    });
    for (let connect = 0; connect < CONNECTS; connect++) {
      files.client(listener.port);
    }
    while (opened < CONNECTS) {
      turnUntil(engine, () => listener.connections === MAX);

      // The others wait in the kernel, and the engine does not spin on them.
      while (engine.turn(0) > 0);
      kernel.reset();
      assertEquals(engine.turn(5), 0);
      assertEquals(kernel.count("accept4"), 0);
      const leaving = Math.min(1 + opened % MAX, CONNECTS - opened);
      for (const connection of [...open].slice(0, leaving)) connection.close();
    }
    assertEquals([opened, most], [CONNECTS, MAX]);
  });

  test(`${name}: other work comes in between the connections of one batch`, () => {
    const CONNECTS = 10;
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    engine.register(
      counter,
      recorder.handlers("counter", {
        read: (event) => void event.read(new Uint8Array(8)),
      }),
    ).enableRead();
    const listener = engine.listen({ exclusive }, {
      open: () => recorder.note("open"),
    });
    engine.commit();
    for (let connect = 0; connect < CONNECTS; connect++) {
      files.client(listener.port);
    }
    waitReadable(listener.fd);
    add(counter);
    const calls: string[] = [];
    turnUntil(engine, () => {
      calls.push(...recorder.take());
      return calls.length === CONNECTS + 1;
    });
    assertEquals(calls.indexOf("counter read"), 1, `called: ${calls}`);
  });

  test(`${name}: connections come before other reads of the same wait, after a turn that only accepted too`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const counter = files.eventfd();
    engine.register(counter, recorder.handlers("counter")).enableRead();
    const listener = engine.listen({ exclusive }, {
      open: () => recorder.note("open"),
    });
    files.client(listener.port);
    turnUntil(engine, () => recorder.take().length > 0);
    assertEquals(engine.turn(0), 0);
    add(counter);
    files.client(listener.port);
    waitReadable(listener.fd);
    engine.turn(0);
    assertEquals(recorder.take(), ["open", "counter read"]);
  });

  test(`${name}: one event brings acceptBatch connections at the most`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    let opened = 0;
    const listener = engine.listen({ exclusive, acceptBatch: 3 }, {
      open: () => void opened++,
    });
    engine.commit();
    for (let connect = 0; connect < 10; connect++) files.client(listener.port);
    waitReadable(listener.fd);
    const turns: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const before = opened;
      engine.turn(0);
      turns.push(opened - before);
    }
    assertEquals(turns, [3, 3, 3, 1, 0]);
  });

  test(`${name}: two listeners accept by turns`, () => {
    const CONNECTS = 5;
    using files = new Files();
    using engine = new Engine({ trigger });
    const opened: string[] = [];
    for (const name of ["a", "b"]) {
      const listener = engine.listen({ exclusive }, {
        open: () => void opened.push(name),
      });
      engine.commit();
      for (let connect = 0; connect < CONNECTS; connect++) {
        files.client(listener.port);
      }
      waitReadable(listener.fd);
    }
    turnUntil(engine, () => opened.length === 2 * CONNECTS);
    assert(
      ["ababababab", "bababababa"].includes(opened.join("")),
      opened.join(""),
    );
  });

  test(`${name}: a client that resets its connection in the backlog is accepted and fails, the next is served`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const listener = engine.listen({ exclusive }, {
      open: () => recorder.note("open"),
      data: (connection, chunk) => {
        recorder.note("data");
        connection.write(chunk);
      },
      end: () => recorder.note("end"),
      error: (_, error) => recorder.note(`error ${error.code}`),
      close: () => recorder.note("close"),
    });
    const aborting = files.client(listener.port);
    waitReadable(listener.fd);
    files.reset(aborting);
    const client = files.client(listener.port);
    put(client);
    const calls: string[] = [];
    turnUntil(engine, () => {
      calls.push(...recorder.take());
      return calls.includes("data") && calls.includes("close");
    });
    assertEquals(
      calls.sort(),
      ["close", "data", "error ECONNRESET", "open", "open"],
    );
    waitReadable(client);
    assertEquals(read(client, new Uint8Array(8)), 1);
  });

  test(`${name}: of 50 connections every other of which is reset in the backlog the rest is served`, () => {
    const CONNECTS = 50;
    using files = new Files();
    using engine = new Engine({ trigger });
    let opened = 0;
    let errors = 0;
    let served = 0;
    const listener = engine.listen({ exclusive }, {
      open: () => void opened++,
      data: () => void served++,
      error: () => void errors++,
    });
    for (let connect = 0; connect < CONNECTS; connect++) {
      const client = files.client(listener.port);
      put(client);
      if (connect % 2 === 0) files.reset(client);
    }
    // Some data of a connection may arrive before its reset does.
    turnUntil(engine, () => errors === CONNECTS / 2);
    turnUntil(engine, () => served >= CONNECTS / 2);
    assertEquals([opened, listener.connections], [CONNECTS, CONNECTS / 2]);
  });

  for (const errno of [ECONNABORTED, EINTR]) {
    test(`${name}: a listener whose accept4 gives ${errnoName(errno)} goes on with the next connection`, () => {
      using files = new Files();
      let failures = 0;
      const calls: SystemCalls = {
        ...systemCalls,
        accept4: (fd, flags) =>
          ++failures <= 3 ? -errno : systemCalls.accept4(fd, flags),
      };
      using engine = new Engine({ trigger }, calls);
      let opened = 0;
      const listener = engine.listen({ exclusive }, {
        open: () => void opened++,
      });
      files.client(listener.port);
      turnUntil(engine, () => opened === 1);
      assertEquals(listener.aborted, errno === ECONNABORTED ? 3 : 0);
    });
  }

  test(`${name}: a listener that is closed in its own handler accepts no more, and resets those who wait`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    const listener = engine.listen({ exclusive }, {
      open() {
        recorder.note("open");
        listener.close();
      },
      close: () => recorder.note("close"),
    });
    const clients = Array.from(
      { length: 4 },
      () => files.client(listener.port),
    );
    turnUntil(engine, () => listener.fd === -1);
    assertEquals(engine.turn(0), 0);
    assertEquals(recorder.take(), ["open"]);
    assertEquals([listener.fd, listener.connections], [-1, 1]);
    const [served, ...others] = clients;
    for (const client of others) {
      waitReadable(client);
      assertEquals(recv(client, new Uint8Array(8), 0), -ECONNRESET);
    }
    assertEquals(recv(served, new Uint8Array(8), 0), -EAGAIN);
    listener.close();
  });

  test(`${name}: a listener's descriptors are close-on-exec and nonblocking, those that it accepts too`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const connections: Connection[] = [];
    const listener = engine.listen({ exclusive }, {
      open: (connection) => void connections.push(connection),
    });
    files.client(listener.port);
    turnUntil(engine, () => connections.length === 1);
    for (const { fd } of [listener, ...connections]) {
      assertEquals(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
      assertEquals(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
  });

  test(`${name}: without a descriptor left a listener neither spins nor fails, and accepts who waits once it has some`, async () => {
    const script = "tests/conformance/emfile_program.ts";
    const args = [trigger, exclusive ? "exclusive" : "plain"];
    const command = [Deno.execPath(), ...denoArgs(script, { args })];
    await using program = new Program("sh", [
      "-c",
      'ulimit -n 64 && exec "$@"',
      "sh",
      ...command,
    ]);
    const { code, stdout, stderr } = await program.finished();
    assertEquals([code, stderr], [0, ""]);
    const report: EmfileReport = JSON.parse(stdout);
    assertEquals([report.refused, report.served, report.opened], [3, 1, 4]);
    // One for each pause that ends, one for what was served, and few more.
    assert(report.waits <= 12, `${report.waits} waits`);
    assert(report.shortMs >= 100, `tried thrice in ${report.shortMs} ms`);
  });
}

for (const trigger of TRIGGERS) {
  test(`${trigger}: an event of a listener that its own handler closes is safe, and resets those who wait`, () => {
    for (const verb of ["enableRead", "enableAccept", "oneshotRead"] as const) {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const { fd, port } = files.listener();
      const event = engine.register(
        files.handOver(fd),
        recorder.handlers("listener", { read: (event) => event.close() }),
      );
      event[verb]();
      const clients = Array.from({ length: 3 }, () => files.client(port));
      assertEquals(engine.turn(PATIENCE_MS), 1);
      assertEquals(engine.turn(0), 0);
      assertEquals(recorder.take(), ["listener read"]);
      for (const client of clients) {
        waitReadable(client);
        assertEquals(recv(client, new Uint8Array(8), 0), -ECONNRESET);
      }
    }
  });
}

test("a connection that was reset in the backlog is accepted by accept4, and its read gives ECONNRESET", () => {
  using files = new Files();
  const { fd, port } = files.listener();
  const client = files.client(port);
  waitReadable(fd);
  files.reset(client);
  const accepted = files.accept(fd);
  waitReadable(accepted);
  assertEquals(read(accepted, new Uint8Array(8)), -ECONNRESET);
});

test("accept4 makes the descriptor close-on-exec and nonblocking as asked", () => {
  using files = new Files();
  const { fd, port } = files.listener();
  for (
    const flags of [
      0,
      SOCK_CLOEXEC,
      SOCK_NONBLOCK,
      SOCK_CLOEXEC | SOCK_NONBLOCK,
    ]
  ) {
    files.client(port);
    waitReadable(fd);
    const accepted = files.own(check(accept4(fd, flags), "accept4"));
    const closesOnExec = (fcntl(accepted, F_GETFD) & FD_CLOEXEC) !== 0;
    const nonblocking = (fcntl(accepted, F_GETFL) & O_NONBLOCK) !== 0;
    assertEquals([closesOnExec, nonblocking], [
      (flags & SOCK_CLOEXEC) !== 0,
      (flags & SOCK_NONBLOCK) !== 0,
    ]);
  }
});

test("accept4 gives EINVAL for a bad flag and for a socket that does not listen, EAGAIN where nobody waits", () => {
  using files = new Files();
  const { fd, port } = files.listener();
  assertEquals(accept4(fd, 0), -EAGAIN);
  assertEquals(accept4(files.tcpSocket(), 0), -EINVAL);
  files.client(port);
  waitReadable(fd);
  assertEquals(accept4(fd, 1), -EINVAL);
  files.accept(fd);
  assertEquals(accept4(fd, 0), -EAGAIN);
});
