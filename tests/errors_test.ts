/**
 * What goes wrong in the kernel: changes that are repaired, changes that fail,
 * ERR and HUP; and readiness that has to outlive muting.
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Engine, type FdEvent, SystemError, type Trigger } from "../mod.ts";
import {
  check,
  close,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EpollEvents,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  errnoName,
  SHUT_WR,
  shutdown,
  systemCalls,
} from "../ffi/mod.ts";
import {
  add,
  Files,
  put,
  waitFor,
  waitForBytes,
  waitReadable,
} from "./conformance/files.ts";
import { maskText, RawEpoll } from "./conformance/raw_epoll.ts";
import { Recorder } from "./conformance/recorder.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { epollEntries, epollEntry } from "./support/fdinfo.ts";
import { VERBS } from "./support/matrix_oracle.ts";
import { generator } from "./support/random.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];
const OPERATIONS = new Map<unknown, string>([
  [EPOLL_CTL_ADD, "ADD"],
  [EPOLL_CTL_MOD, "MOD"],
  [EPOLL_CTL_DEL, "DEL"],
]);
const scratch = new Uint8Array(64);

/** A test in both kinds of engine, with what most tests here need. */
function engineTest(
  name: string,
  fn: (setup: Setup, trigger: Trigger) => void,
): void {
  for (const trigger of TRIGGERS) {
    test(`${trigger}: ${name}`, () => {
      using setup = new Setup(trigger);
      fn(setup, trigger);
    });
  }
}

/** An engine whose calls are noted, descriptors, and a record of handlers. */
class Setup implements Disposable {
  readonly files = new Files();
  readonly recorder = new Recorder();
  readonly counting = new CountingCalls(systemCalls);
  readonly engine: Engine;

  constructor(trigger: Trigger) {
    this.engine = new Engine({ trigger }, this.counting.calls);
  }

  /** The epoll_ctl calls since the last time, such as `MOD ENOENT`. */
  changes(): string[] {
    const calls = this.counting.named("epoll_ctl");
    this.counting.reset();
    return calls.map(({ args: [, operation], result }) =>
      [
        OPERATIONS.get(operation),
        ...(Number(result) < 0 ? [errnoName(Number(result))] : []),
      ].join(" ")
    );
  }

  /** Takes the kernel's entry of a descriptor away behind the engine's back. */
  removeEntry(fd: number): void {
    check(epoll_ctl(this.engine.fd, EPOLL_CTL_DEL, fd, null), "epoll_ctl");
  }

  /** Puts an entry for a descriptor into the kernel behind the engine's back. */
  addEntry(fd: number, mask: number): void {
    const entry = new EpollEvents(1);
    entry.set(0, mask, 12345, 0);
    check(
      epoll_ctl(this.engine.fd, EPOLL_CTL_ADD, fd, entry.words),
      "epoll_ctl",
    );
  }

  /** The mask that the kernel has for a descriptor, in words. */
  mask(fd: number): string {
    const mask = epollEntry(this.engine.fd, fd)?.mask ?? 0;
    return maskText(mask & ~(EPOLLERR | EPOLLHUP));
  }

  /** Turns without waiting; how many events the kernel reported in all. */
  spin(turns: number): number {
    const { events } = this.engine.metrics;
    for (let turn = 0; turn < turns; turn++) this.engine.turn(0);
    return this.engine.metrics.events - events;
  }

  [Symbol.dispose](): void {
    this.engine.close();
    this.files[Symbol.dispose]();
  }
}

// Repairs.

engineTest("a MOD of an entry that has gone becomes an ADD", (setup) => {
  const { engine, files, recorder } = setup;
  const event = engine.register(files.eventfd(1), recorder.handlers("a"));
  event.enableRead();
  engine.turn(0);
  recorder.take();
  setup.removeEntry(event.fd);
  setup.changes();
  event.enableWrite();
  assertEquals(engine.commit(), 2);
  assertEquals(setup.changes(), ["MOD ENOENT", "ADD"]);
  assert(!event.changing);
  assertEquals(epollEntries(engine.fd).length, 1);
  engine.turn(0);
  assertEquals(recorder.take().sort(), ["a read", "a write"]);
});

engineTest(
  "an ADD of a number that has an entry becomes a MOD, and takes the entry over",
  (setup) => {
    const { engine, files, recorder } = setup;
    const fd = files.eventfd(1);
    setup.addEntry(fd, EPOLLIN);
    const event = engine.register(fd, recorder.handlers("a"));
    event.enableRead();
    assertEquals(engine.commit(), 2);
    assertEquals(setup.changes(), ["ADD EEXIST", "MOD"]);
    assert(!event.changing);
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["a read"]);
    assertEquals(engine.metrics.staleEvents, 0);
  },
);

engineTest("an accept entry takes the place of another entry too", (setup) => {
  const { engine, files, recorder } = setup;
  const listener = files.listener();
  setup.addEntry(listener.fd, EPOLLIN);
  const event = engine.register(listener.fd, recorder.handlers("a"));
  event.enableAccept();
  engine.commit();
  assertEquals(setup.changes().at(-1), "ADD");
  assertEquals(setup.mask(listener.fd), "IN|EXCLUSIVE");
  files.own(files.client(listener.port));
  waitReadable(listener.fd);
  assertEquals(engine.turn(0), 1);
  assertEquals(recorder.take(), ["a read"]);
});

engineTest(
  "a DEL of an entry that has gone, or of a closed descriptor, is done",
  (setup) => {
    const { engine, files, recorder } = setup;
    const gone = engine.register(files.eventfd(), recorder.handlers("gone"));
    const closed = engine.register(
      files.handOver(files.eventfd()),
      recorder.handlers("closed"),
    );
    const left = engine.register(
      files.handOver(files.eventfd()),
      recorder.handlers("left"),
    );
    for (const event of [gone, closed, left]) event.enableRead();
    engine.commit();
    setup.removeEntry(gone.fd);
    check(close(closed.fd), "close");
    setup.removeEntry(left.fd);
    setup.changes();
    gone.disable();
    closed.delete();
    left.close();
    assertEquals(setup.changes(), ["DEL ENOENT"], "close() acts at once");
    assertEquals(engine.commit(), 2);
    assertEquals(setup.changes(), ["DEL ENOENT", "DEL EBADF"]);
    assert(!gone.changing && !closed.changing);
    setup.spin(3);
    assertEquals(recorder.take(), []);
  },
);

engineTest("a repair that fails in its turn is a failed change", (setup) => {
  const { engine, files, recorder } = setup;
  const fd = files.eventfd();
  const event = engine.register(fd, recorder.handlers("a"));
  event.enableRead();
  engine.commit();
  // A set that holds the engine's takes the number: the entry goes, and a new
  // one would close a circle.
  using outer = new RawEpoll();
  check(outer.add(engine.fd, EPOLLIN), "epoll_ctl");
  files.dupTo(outer.fd, fd);
  setup.changes();
  event.enableWrite();
  assertEquals(engine.commit(), 2);
  assertEquals(setup.changes(), ["MOD ENOENT", "ADD ELOOP"]);
  engine.turn(0);
  assertEquals(recorder.take(), ["a error ELOOP"]);
  assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
  assertEquals(epollEntries(engine.fd), []);
});

engineTest("a failed MOD leaves no entry", (setup) => {
  const { engine, files, recorder } = setup;
  const fd = files.eventfd();
  const event = engine.register(fd, recorder.handlers("a"));
  event.enableRead();
  engine.commit();
  files.dupTo(files.open("deno.json"), fd);
  setup.changes();
  event.enableWrite();
  engine.turn(-1);
  assertEquals(setup.changes(), ["MOD EPERM", "DEL EPERM"]);
  assertEquals(recorder.take(), ["a error EPERM"]);
  assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
  assert(!event.changing);
  assertEquals(epollEntries(engine.fd), []);
});

engineTest(
  "an entry of somebody else that can't be modified: an error, and the entry goes",
  (setup) => {
    const { engine, files, recorder } = setup;
    const fd = files.eventfd(1);
    setup.addEntry(fd, EPOLLIN | EPOLLEXCLUSIVE);
    const event = engine.register(fd, recorder.handlers("a"));
    event.enableRead();
    engine.commit();
    assertEquals(setup.changes(), ["ADD EEXIST", "MOD EINVAL", "DEL"]);
    assert(!event.changing);
    assertEquals(epollEntries(engine.fd), []);
    engine.turn(-1);
    assertEquals(recorder.take(), ["a error EINVAL"]);
    event.enableRead();
    engine.commit();
    assertEquals(setup.changes(), ["ADD"]);
  },
);

// Changes that fail.

/** What epoll_ctl refuses, and how. */
const REFUSED: [string, string, (setup: Setup) => number][] = [
  ["a regular file", "EPERM", ({ files }) => files.open("deno.json")],
  ["a directory", "EPERM", ({ files }) => files.open("tests")],
  ["/dev/null", "EPERM", ({ files }) => files.open("/dev/null")],
  ["a closed descriptor", "EBADF", ({ files }) => {
    const fd = files.handOver(files.eventfd());
    check(close(fd), "close");
    // The lowest free number would be the next one's.
    return 100_000 + fd;
  }],
  ["a cycle of epoll sets", "ELOOP", ({ engine, files }) => {
    const inner = new RawEpoll();
    check(inner.add(engine.fd, EPOLLIN), "epoll_ctl");
    return files.own(inner.fd);
  }],
  ["the engine itself", "EINVAL", ({ engine }) => engine.fd],
];

/** The verbs that ask for an entry. */
const ASKING = ["enable", "enableRead", "enableWrite", "oneshotRead"] as const;

for (const [what, code, make] of REFUSED) {
  engineTest(
    `${what}: ${code} reaches its own error handler, and disturbs no other change`,
    (setup) => {
      const { engine, files, recorder } = setup;
      const before = engine.register(files.eventfd(1), recorder.handlers("a"));
      const fd = make(setup);
      let told: SystemError | null = null;
      const refused = engine.register(fd, {
        ...recorder.handlers("refused"),
        error(event, error) {
          assertStrictEquals(event, refused);
          told = error;
        },
      });
      const after = engine.register(files.eventfd(1), recorder.handlers("b"));
      for (const verb of ASKING) {
        told = null;
        const log = setup.counting.log.length;
        before.delete();
        after.delete();
        before.enableRead();
        refused[verb]();
        after.enableRead();
        engine.commit();
        assert(!refused.changing);
        assertEquals(
          [refused.readState, refused.writeState],
          ["inactive", "inactive"],
        );
        assertEquals(epollEntry(engine.fd, fd), undefined);
        assertEquals(told, null, "no handler runs in a commit");
        // A wait that blocked here would be seen by the test's own limit.
        engine.turn(-1);
        const error: unknown = told;
        assertInstanceOf(error, SystemError);
        assertEquals(
          { ...error, code: error.code, fd: error.fd },
          { ...error, code, fd, syscall: "epoll_ctl" },
        );
        assert(error.errno > 0);
        assertEquals(errnoName(error.errno), code);
        engine.turn(0);
        assertEquals([...new Set(recorder.take())].sort(), [
          "a read",
          "b read",
        ]);
        const waits = setup.counting.log.slice(log)
          .filter(({ name }) => name === "epoll_wait");
        assertEquals(waits[0]?.args[3], 0, "the next wait does not block");
      }
    },
  );

  engineTest(
    `${what}: ${code} without an error handler goes to onError`,
    (_, trigger) => {
      const told: unknown[] = [];
      const counting = new CountingCalls(systemCalls);
      using files = new Files();
      using engine = new Engine({
        trigger,
        onError: (error, source) => void told.push(error, source),
      }, counting.calls);
      const fd = make({ engine, files } as Setup);
      const refused = engine.register(fd, {});
      refused.enableRead();
      engine.turn(-1);
      assertEquals(told.length, 2);
      const [error, source] = told;
      assertInstanceOf(error, SystemError);
      assertEquals(error.code, code);
      assertStrictEquals(source, refused);
      assertEquals(refused.readState, "inactive");
      assertEquals(epollEntry(engine.fd, fd), undefined);
    },
  );
}

engineTest("a failed accept entry is told as any other", (setup) => {
  const { engine, files, recorder } = setup;
  const file = engine.register(
    files.open("deno.json"),
    recorder.handlers("file"),
  );
  const set = new RawEpoll();
  const nested = engine.register(
    files.own(set.fd),
    recorder.handlers("nested"),
  );
  file.enableAccept();
  // The kernel takes no exclusive entry for an epoll set.
  nested.enableAccept();
  engine.turn(-1);
  assertEquals(recorder.take(), ["file error EPERM", "nested error EINVAL"]);
  assertEquals([file.readState, nested.readState], ["inactive", "inactive"]);
  nested.enableRead();
  engine.commit();
  assertEquals(setup.mask(set.fd).split("|")[0], "IN");
});

engineTest(
  "a failed change without error handler and onError comes out of turn(), run() and dispatch(), and the engine goes on",
  (setup) => {
    const { engine, files, recorder } = setup;
    const good = engine.register(files.eventfd(), {
      read(event) {
        recorder.note("good");
        event.read(scratch);
        engine.stop();
      },
    });
    good.enableRead();
    engine.commit();
    const bad = engine.register(files.open("deno.json"), {});
    const drives: (() => void)[] = [
      () => engine.turn(-1),
      () => engine.run(),
      () => {
        engine.commit();
        engine.dispatch();
      },
      () => {
        engine.poll(-1);
        engine.dispatch();
      },
    ];
    for (const drive of drives) {
      add(good.fd);
      bad.enable();
      const error = assertThrows(drive, SystemError);
      assertEquals([error.code, error.fd], ["EPERM", bad.fd]);
      engine.run();
      assertEquals(recorder.take(), ["good"], "nothing is lost");
    }
  },
);

engineTest(
  "a failed change keeps one wait from blocking, and no more",
  (setup) => {
    const { engine, files, recorder, counting } = setup;
    const event = engine.register(
      files.open("deno.json"),
      recorder.handlers("a"),
    );
    event.enable();
    engine.commit();
    engine.turn(-1);
    assertEquals(recorder.take(), ["a error EPERM"]);
    counting.reset();
    engine.turn(0.01);
    assert(counting.count("epoll_pwait2") > 0, "this one may block");
  },
);

engineTest(
  "an error handler may use every verb, and be told once more",
  (setup) => {
    const { engine, files, recorder } = setup;
    let left = 3;
    const event = engine.register(
      files.open("deno.json"),
      recorder.handlers("a", {
        error: (event) => {
          if (--left > 0) event.enableRead();
        },
      }),
    );
    event.enable();
    for (let turn = 0; turn < 5; turn++) engine.turn(0);
    assertEquals(recorder.take(), Array(3).fill("a error EPERM"));
  },
);

engineTest(
  "a failed change whose event is closed before its error handler runs is told to nobody",
  (setup) => {
    const { engine, files, recorder } = setup;
    const event = engine.register(
      files.handOver(files.open("deno.json")),
      recorder.handlers("a"),
    );
    event.enable();
    engine.commit();
    event.close();
    setup.spin(2);
    assertEquals(recorder.take(), []);
  },
);

// ERR and HUP.

/** A pipe whose writer has gone, as an event of the reading end. */
function hangUp(
  { engine, files, recorder }: Setup,
  { bytes = 0, error = true }: { bytes?: number; error?: boolean } = {},
): { event: FdEvent; hang: () => void } {
  const [reader, writer] = files.pipe();
  const all = recorder.handlers("a");
  const handlers = error ? all : { read: all.read, write: all.write };
  const event = engine.register(reader, handlers);
  return {
    event,
    hang() {
      if (bytes > 0) put(writer, bytes);
      files.close(writer);
    },
  };
}

engineTest(
  "HUP alone: both directions leave the kernel, then error(event, null), once",
  (setup) => {
    const { engine, recorder } = setup;
    const { event, hang } = hangUp(setup);
    event.enable();
    engine.commit();
    hang();
    assertEquals(engine.poll(0), 1);
    assertEquals([event.readState, event.writeState], ["inactive", "inactive"]);
    assert(event.readReady && event.writeReady);
    assertLessOrEqual(setup.spin(20), 0);
    assertEquals(recorder.take(), ["a error null"]);
    assertEquals(epollEntries(engine.fd), []);
  },
);

engineTest(
  "HUP alone without an error handler: each active direction's handler, states kept",
  (setup) => {
    const { engine, recorder } = setup;
    const { event, hang } = hangUp(setup, { error: false });
    event.enable();
    engine.commit();
    hang();
    assertEquals(engine.turn(0), 2);
    assertEquals(recorder.take(), ["a read", "a write"]);
    assertEquals([event.readState, event.writeState], ["active", "active"]);
    assertEquals(event.read(scratch), 0);
    event.disableWrite();
    engine.commit();
    event.readReady = false;
    event.enableRead();
    engine.turn(0);
    assertEquals([...new Set(recorder.take())], ["a read"]);
  },
);

engineTest(
  "HUP with data: the read handler alone runs, and reads all of it",
  (setup) => {
    const { engine, recorder } = setup;
    const { event, hang } = hangUp(setup, { bytes: 3 });
    event.enableRead();
    engine.commit();
    hang();
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["a read"]);
    assertEquals(event.readState, "active");
    assertEquals(event.read(scratch), 3);
    assertEquals(event.read(scratch), 0);
  },
);

engineTest(
  "HUP with data while reading is muted: no error handler, and the data is read on enabling",
  (setup) => {
    const { engine, recorder } = setup;
    const { event, hang } = hangUp(setup, { bytes: 3 });
    event.enableWrite();
    event.enableRead();
    event.blockRead();
    engine.commit();
    hang();
    assertEquals(engine.poll(0), 1);
    engine.dispatch();
    assertEquals(recorder.take().filter((call) => call !== "a write"), []);
    assert(event.readReady);
    event.enableRead();
    engine.turn(0);
    assert(recorder.take().includes("a read"));
    assertEquals(event.read(scratch), 3);
  },
);

engineTest("ERR with room to write: the write handler alone runs", (setup) => {
  const { engine, files, recorder } = setup;
  const [reader, writer] = files.pipe();
  const event = engine.register(writer, recorder.handlers("a"));
  event.enableWrite();
  engine.turn(0);
  recorder.take();
  files.close(reader);
  assertEquals(engine.turn(0), 1);
  assertEquals(recorder.take(), ["a write"]);
  assertEquals(event.writeState, "active");
  assertEquals(errnoName(event.write(scratch)), "EPIPE");
});

engineTest("ERR without room to write: error(event, null)", (setup) => {
  const { engine, files, recorder } = setup;
  const [reader, writer] = files.pipe();
  const event = engine.register(writer, recorder.handlers("a"));
  while (event.write(new Uint8Array(65536)) > 0);
  event.enableWrite();
  engine.turn(0);
  assertEquals(recorder.take(), []);
  files.close(reader);
  engine.turn(0);
  assertEquals(recorder.take(), ["a error null"]);
  assertEquals(event.writeState, "inactive");
  assertEquals(setup.spin(20), 0);
});

engineTest(
  "a reset connection: both active directions' handlers, no error handler, and the data is still read",
  (setup) => {
    const { engine, files, recorder } = setup;
    const [client, accepted] = files.tcpPair();
    const event = engine.register(client, recorder.handlers("a"));
    event.enable();
    engine.turn(0);
    recorder.take();
    put(accepted, 3);
    waitForBytes(client, 3);
    files.reset(accepted);
    // ERR and HUP are reported though nothing is asked for.
    waitFor(client, 0);
    engine.turn(0);
    assertEquals(recorder.take().sort(), ["a read", "a write"]);
    assertEquals([event.readState, event.writeState], ["active", "active"]);
    assertEquals(event.read(scratch), 3);
    assertEquals(errnoName(event.read(scratch)), "ECONNRESET");
  },
);

const MUTED: [string, (event: FdEvent) => void][] = [
  ["both blocked", (event) => {
    event.enable();
    event.blockRead();
    event.blockWrite();
  }],
  ["read blocked alone", (event) => {
    event.enableRead();
    event.blockRead();
  }],
  ["write blocked alone", (event) => {
    event.enableWrite();
    event.blockWrite();
  }],
  ["a blocked one-shot", (event) => {
    event.oneshotRead();
    event.blockRead();
  }],
];

for (const [name, mute] of MUTED) {
  engineTest(
    `HUP while muted (${name}): told to nobody, no spinning, and told on enabling`,
    (setup) => {
      const { engine, recorder } = setup;
      const { event, hang } = hangUp(setup);
      mute(event);
      engine.commit();
      hang();
      assertLessOrEqual(setup.spin(50), 1);
      assertEquals(recorder.take(), []);
      assert(event.readReady && event.writeReady);
      event.enableRead();
      engine.turn(0);
      engine.turn(0);
      const calls = recorder.take();
      assert(calls.includes("a read") || calls.includes("a error null"));
      assertEquals(event.read(scratch), 0);
    },
  );
}

test("level: HUP with both directions blocked leaves the kernel at the next commit", () => {
  using setup = new Setup("level");
  const { event, hang } = hangUp(setup);
  event.enable();
  event.blockRead();
  event.blockWrite();
  setup.engine.commit();
  hang();
  assertEquals(setup.engine.poll(0), 1);
  assertEquals(setup.engine.commit(), 1);
  assertEquals(epollEntries(setup.engine.fd), []);
  event.enableRead();
  assertEquals(setup.engine.commit(), 1);
  assertEquals(setup.mask(event.fd), "IN");
});

engineTest("HUP alone spends a one-shot", (setup) => {
  const { engine, recorder } = setup;
  const { event, hang } = hangUp(setup, { error: false });
  event.oneshotRead();
  engine.commit();
  hang();
  assertLessOrEqual(setup.spin(20), 1);
  assertEquals(recorder.take(), ["a read"]);
  assertEquals(event.readState, "disabled");
  assertEquals(setup.mask(event.fd), "ONESHOT");
});

for (const mute of ["blockWrite", "enableWrite"] as const) {
  engineTest(
    `HUP alone spends a one-shot beside ${
      mute === "blockWrite" ? "a blocked" : "an active"
    } direction`,
    (setup, trigger) => {
      const { engine, recorder } = setup;
      const { event, hang } = hangUp(setup, { error: false });
      event.oneshotRead();
      event.enableWrite();
      event[mute]();
      engine.commit();
      hang();
      setup.spin(20);
      const reads = recorder.take().filter((call) => call === "a read");
      assertEquals(reads, ["a read"]);
      // Level: with both directions muted, HUP takes the entry out.
      const muted = trigger === "level" && mute === "blockWrite";
      assertEquals(event.readState, muted ? "inactive" : "disabled");
      assertEquals(setup.mask(event.fd).includes("IN"), false);
    },
  );
}

for (const verb of ["delete", "disable"] as const) {
  engineTest(
    `${verb}() after HUP was taken up: nothing is told, until it is enabled again`,
    (setup) => {
      const { engine, recorder } = setup;
      const { event, hang } = hangUp(setup);
      event.enableRead();
      engine.commit();
      hang();
      assertEquals(engine.poll(0), 1);
      event[verb]();
      assertEquals(engine.dispatch(), 0);
      assertEquals(setup.spin(20), 0);
      assertEquals(recorder.take(), []);
      event.enableRead();
      setup.spin(2);
      assert(recorder.take().length > 0);
    },
  );
}

engineTest(
  "a failed change is told though the event was deleted since",
  (setup) => {
    const { engine, files, recorder } = setup;
    const event = engine.register(
      files.open("deno.json"),
      recorder.handlers("a"),
    );
    event.enableRead();
    engine.commit();
    event.delete();
    engine.dispatch();
    assertEquals(recorder.take(), ["a error EPERM"]);
  },
);

engineTest(
  "pendingEof says that the peer has shut down its side, where the kernel is asked",
  (setup, trigger) => {
    const { engine, files } = setup;
    const [end, peer] = files.unixPair();
    const event = engine.register(end, {});
    event.enableRead();
    put(peer, 3);
    engine.turn(0);
    assert(!event.pendingEof);
    check(shutdown(peer, SHUT_WR), "shutdown");
    engine.turn(0);
    assertEquals(event.pendingEof, trigger === "edge");
    assertEquals(event.read(scratch), 3, "what came before can be read");
    assertEquals(event.read(scratch), 0);
  },
);

// Readiness outlives muting.

/** Ways to mute a direction for a while, all of which must not lose an edge. */
const MUTING: [string, (event: FdEvent) => void, (event: FdEvent) => void][] = [
  [
    "blockRead",
    (event) => event.blockRead(),
    (event) => event.enableRead(),
  ],
  [
    "disableRead",
    (event) => event.disableRead(),
    (event) => event.enableRead(),
  ],
  ["disable", (event) => event.disable(), (event) => event.enable()],
  ["delete", (event) => event.delete(), (event) => event.enableRead()],
  [
    "blockRead, then a one-shot",
    (event) => event.blockRead(),
    (event) => event.oneshotRead(),
  ],
];

for (const [name, mute, unmute] of MUTING) {
  engineTest(
    `data that arrives while muted by ${name} is told on enabling`,
    (setup) => {
      const { engine, files, recorder } = setup;
      const [end, peer] = files.unixPair();
      const { read } = recorder.handlers("a");
      const event = engine.register(end, { read });
      event.enableRead();
      engine.turn(0);
      mute(event);
      engine.commit();
      put(peer, 5);
      assertLessOrEqual(setup.spin(20), 1, "no spinning while muted");
      assertEquals(recorder.take(), []);
      unmute(event);
      engine.turn(0);
      assert(recorder.take().includes("a read"));
    },
  );

  engineTest(
    `${name} and enabling in one batch, after the event was taken up, loses nothing`,
    (setup) => {
      const { engine, files, recorder } = setup;
      const [end, peer] = files.unixPair();
      const { read } = recorder.handlers("b");
      const second = engine.register(end, { read });
      const first = engine.register(files.eventfd(), {
        read(event) {
          event.read(scratch);
          recorder.note("a");
          mute(second);
          unmute(second);
        },
      });
      // Whichever the kernel reports first, both are in one batch.
      first.readReady = false;
      first.enableRead();
      second.enableRead();
      engine.turn(0);
      add(first.fd);
      put(peer, 5);
      assertEquals(engine.poll(0), 2);
      engine.dispatch();
      engine.turn(0);
      const calls = recorder.take();
      assertEquals(calls.filter((call) => call === "a"), ["a"]);
      assert(calls.includes("b read"));
    },
  );
}

for (const verb of ["disable", "delete", "disableRead", "blockRead"] as const) {
  engineTest(
    `${verb}() drops the queued handler of the batch, a spent one-shot's too`,
    (setup) => {
      const { engine, files, recorder } = setup;
      for (const arm of ["enableRead", "oneshotRead"] as const) {
        const { read } = recorder.handlers("a");
        const event = engine.register(files.handOver(files.eventfd(1)), {
          read,
        });
        event[arm]();
        assertEquals(engine.poll(0), 1);
        event[verb]();
        assertEquals(engine.dispatch(), 0);
        assertLessOrEqual(setup.spin(20), 1);
        assertEquals(recorder.take(), []);
        event.enableRead();
        engine.turn(0);
        assert(recorder.take().includes("a read"));
        event.close();
      }
    },
  );
}

engineTest(
  "disabling one direction leaves the queued handler of the other, a spent one-shot's too",
  (setup) => {
    const { engine, files, recorder } = setup;
    for (const arm of ["enableWrite", "oneshotWrite"] as const) {
      const { write } = recorder.handlers("a");
      const event = engine.register(files.handOver(files.eventfd()), { write });
      event[arm]();
      assertEquals(engine.poll(0), 1);
      event.disableRead();
      assertEquals(engine.dispatch(), 1);
      assertEquals(recorder.take(), ["a write"]);
      event.close();
    }
  },
);

test("edge: unblocking makes no system call, and runs the handler of an edge taken meanwhile", () => {
  using setup = new Setup("edge");
  const { engine, files, recorder, counting } = setup;
  const [end, peer] = files.unixPair();
  const event = engine.register(end, recorder.handlers("a"));
  event.enableRead();
  event.blockRead();
  engine.turn(0);
  put(peer, 5);
  assertEquals(engine.turn(0), 0);
  counting.reset();
  event.enableRead();
  assertEquals(engine.commit(), 0);
  assertEquals(engine.dispatch(), 1);
  assertEquals(recorder.take(), ["a read"]);
  assertEquals(counting.log, []);
});

engineTest("a one-shot that was blocked, and enabled again, fires", (setup) => {
  const { engine, files, recorder } = setup;
  const event = engine.register(files.eventfd(), recorder.handlers("a"));
  // Ready after it was unblocked, and while it was blocked.
  event.oneshotRead();
  engine.commit();
  event.blockRead();
  event.enableRead();
  engine.commit();
  add(event.fd);
  engine.turn(0);
  assertEquals(recorder.take(), ["a read"]);
  event.read(scratch);
  assertEquals(errnoName(event.read(scratch)), "EAGAIN");
  event.oneshotRead();
  engine.commit();
  event.blockRead();
  add(event.fd);
  assertLessOrEqual(setup.spin(20), 1);
  assertEquals(recorder.take(), []);
  event.enableRead();
  engine.turn(0);
  assert(recorder.take().includes("a read"));
});

engineTest("EAGAIN clears the flag, and nothing else does", (setup) => {
  const { engine, files } = setup;
  const [end, peer] = files.unixPair();
  const event = engine.register(end, {});
  event.enable();
  put(peer, 3);
  engine.turn(0);
  assert(event.readReady && event.writeReady);
  assertEquals(event.read(scratch.subarray(0, 2)), 2);
  assert(event.readReady);
  assertEquals(event.read(scratch), 1);
  assert(event.readReady);
  assertEquals(errnoName(event.read(scratch)), "EAGAIN");
  assert(!event.readReady && event.writeReady);
  while (event.write(new Uint8Array(65536)) > 0);
  assert(!event.writeReady);
  put(peer, 1);
  engine.turn(0);
  assert(event.readReady && !event.writeReady);
  check(shutdown(peer, SHUT_WR), "shutdown");
  engine.turn(0);
  assertEquals(event.read(scratch), 1);
  assertEquals(event.read(scratch), 0);
  assert(event.readReady, "an end of file is there to be read");
});

// Level-triggered engines must not spin on what is muted.

const SPINS: [string, (setup: Setup, event: FdEvent) => void][] = [
  ["a blocked direction with data", (_, event) => {
    event.enableRead();
    event.blockRead();
  }],
  ["a blocked direction with room to write", (_, event) => {
    event.enableWrite();
    event.blockWrite();
  }],
  ["both directions blocked", (_, event) => {
    event.enable();
    event.blockRead();
    event.blockWrite();
  }],
  ["a disabled direction", ({ engine }, event) => {
    event.enable();
    engine.commit();
    event.disableRead();
    event.disableWrite();
  }],
  ["a spent one-shot", (_, event) => event.oneshotRead()],
  ["a spent one-shot beside a blocked direction", (_, event) => {
    event.oneshotRead();
    event.enableWrite();
    event.blockWrite();
  }],
  ["a one-shot that was spent while blocked", (_, event) => {
    event.oneshotRead();
    event.blockRead();
  }],
  ["a blocked accept entry", (_, event) => {
    event.enableAccept();
    event.blockRead();
  }],
];

for (const [name, mute] of SPINS) {
  engineTest(`${name} does not make the loop spin`, (setup) => {
    const { engine, files, recorder } = setup;
    const event = engine.register(files.eventfd(1), recorder.handlers("a"));
    mute(setup, event);
    assertLessOrEqual(setup.spin(100), 2);
    assertLessOrEqual(recorder.take().length, 1);
    assertEquals(setup.spin(100), 0);
  });
}

engineTest(
  "a muted accept entry takes no connection from another set, and gets the next one when enabled",
  (setup) => {
    const { engine, files, recorder } = setup;
    const listener = files.listener();
    using other = new RawEpoll();
    check(other.add(listener.fd, EPOLLIN), "epoll_ctl");
    const event = engine.register(listener.fd, recorder.handlers("a"));
    event.enableAccept();
    engine.commit();
    for (const verb of ["blockRead", "disableRead", "disable"] as const) {
      event[verb]();
      engine.commit();
      assertEquals(setup.mask(listener.fd), "");
      files.own(files.client(listener.port));
      assertEquals(other.wait(1_000), [[listener.fd, "IN"]]);
      assertEquals(setup.spin(20), 0);
      assertEquals(recorder.take(), []);
      event.enableAccept();
      assertEquals(engine.turn(1_000), 1);
      assertEquals(recorder.take(), ["a read"]);
      files.accept(listener.fd);
      event.readReady = false;
    }
  },
);

// In any order.

const ALL_BUT_CLOSE = VERBS.filter((verb) => verb !== "close");

engineTest(
  "no order of verbs, arrivals and turns, in handlers too, loses readiness",
  (setup) => {
    const { engine, files } = setup;
    const random = generator(7);
    for (let round = 0; round < 200; round++) {
      const history: string[] = [];
      let quiet = false;
      const ends = Array.from({ length: 3 }, (_, index) => {
        const [fd, peer] = files.unixPair();
        const end = { peer, unread: 0, reads: 0, writes: 0 };
        const event = engine.register(files.handOver(fd), {
          read(event) {
            assert(event.readState !== "blocked", history.join(" "));
            end.reads++;
            const count = event.read(
              scratch.subarray(0, [1, 4, 64][random(3)]),
            );
            if (count > 0) end.unread -= count;
            if (random(2) === 0) {
              while (event.read(scratch) > 0) end.unread = 0;
            }
            if (!quiet && random(4) === 0) apply(`in ${index}`);
          },
          write(event) {
            assert(event.writeState !== "blocked", history.join(" "));
            end.writes++;
            if (!quiet && random(4) === 0) apply(`in ${index}`);
          },
        });
        return Object.assign(end, { event });
      });
      const apply = (where: string) => {
        const index = random(ends.length);
        const verb = ALL_BUT_CLOSE[random(ALL_BUT_CLOSE.length)];
        history.push(`${where}: ${index}.${verb}`);
        ends[index].event[verb]();
      };
      for (let step = 0; step < 30; step++) {
        switch (random(5)) {
          case 0:
            history.push("turn");
            engine.turn(0);
            break;
          case 1: {
            const index = random(ends.length);
            history.push(`put ${index}`);
            put(ends[index].peer, 3);
            ends[index].unread += 3;
            break;
          }
          default:
            apply("outside");
        }
      }
      quiet = true;
      for (const end of ends) {
        if (random(3) === 0) {
          files.close(end.peer);
          end.unread++;
        }
        end.reads = end.writes = 0;
        end.event.enableWrite();
        end.event.enableRead();
      }
      const awaited = ends.filter(({ unread }) => unread > 0);
      for (let turn = 0; turn < 3; turn++) engine.turn(0);
      for (const { reads } of awaited) assert(reads > 0, history.join(" "));
      for (const { writes } of ends) assert(writes > 0, history.join(" "));
      for (const { event } of ends) event.close();
    }
  },
);
