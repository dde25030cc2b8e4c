/** What registering and waiting answer: errors, interruptions, timeouts, nesting. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Engine,
  type FdEvent,
  type SystemError,
  type Trigger,
} from "../../mod.ts";
import {
  AF_INET,
  EBADF,
  EEXIST,
  EINVAL,
  ELOOP,
  ENOENT,
  ENOSYS,
  EPERM,
  epoll_create1,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  epoll_wait,
  EpollEvents,
  EPOLLIN,
  errnoName,
  SO_ERROR,
  SOCK_STREAM,
  SOL_SOCKET,
  type SystemCalls,
  systemCalls,
} from "../../ffi/mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { test } from "../support/descriptors.ts";
import { epollEntries, epollEntry } from "../support/fdinfo.ts";
import { Program } from "../support/process.ts";
import { add, Files, loopback } from "./files.ts";
import type { InterruptedReport } from "./interrupted_program.ts";
import { RawEpoll } from "./raw_epoll.ts";
import { Recorder } from "./recorder.ts";
import { raiseWord, sharedWords, Thread } from "./thread.ts";
import { currentThread } from "./thread_body.ts";
import type { WakerTask } from "./waker_thread.ts";

const TRIGGERS: Trigger[] = ["edge", "level"];

/** What epoll does not take: a file, a directory, a device that is never not ready. */
const UNPOLLABLE = ["deno.json", ".", "/dev/null"];

/** A descriptor's number that is not open. */
function closedNumber(files: Files): number {
  const fd = files.eventfd();
  files.close(fd);
  return fd;
}

test("the kernel refuses a second ADD, changes of what is not there, and what can't be polled", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const counter = files.eventfd();
  const closed = closedNumber(files);
  assertEquals(epoll.modify(counter, EPOLLIN), -ENOENT);
  assertEquals(epoll.remove(counter), -ENOENT);
  assertEquals(epoll.add(counter, EPOLLIN), 0);
  assertEquals(epoll.add(counter, EPOLLIN), -EEXIST);
  for (const fd of [closed, -1]) {
    assertEquals(epoll.add(fd, EPOLLIN), -EBADF);
    assertEquals(epoll.modify(fd, EPOLLIN), -EBADF);
    assertEquals(epoll.remove(fd), -EBADF);
    assertEquals(epoll_ctl(fd, EPOLL_CTL_DEL, counter, null), -EBADF);
    assertEquals(epoll_wait(fd, new EpollEvents(1).words, 1, 0), -EBADF);
  }
  for (const path of UNPOLLABLE) {
    assertEquals(epoll.add(files.open(path), EPOLLIN), -EPERM, path);
  }
  assertEquals(epoll.add(epoll.fd, EPOLLIN), -EINVAL);
  assertEquals(epollEntries(epoll.fd).map(({ fd }) => fd), [counter]);
});

test("the kernel refuses to wait for no event or fewer, and on what is no epoll set", () => {
  using files = new Files();
  using epoll = new RawEpoll();
  const { words } = new EpollEvents(1);
  for (const eventsMax of [0, -1]) {
    assertEquals(epoll_wait(epoll.fd, words, eventsMax, 0), -EINVAL);
  }
  assertEquals(epoll_wait(files.eventfd(), words, 1, 0), -EINVAL);
});

test("the kernel refuses an epoll set that would contain itself, at once or through others", () => {
  using first = new RawEpoll();
  using second = new RawEpoll();
  using third = new RawEpoll();
  assertEquals(first.add(second.fd, EPOLLIN), 0);
  assertEquals(second.add(third.fd, EPOLLIN), 0);
  assertEquals(second.add(first.fd, EPOLLIN), -ELOOP);
  assertEquals(third.add(first.fd, EPOLLIN), -ELOOP);
});

for (const trigger of TRIGGERS) {
  /** What can't be enabled, and the code that says why. */
  const refused: [
    what: string,
    code: string,
    open: (files: Files, engine: Engine) => number,
  ][] = [
    ["a closed descriptor", "EBADF", closedNumber],
    ["a regular file", "EPERM", (files) => files.open("deno.json")],
    ["a directory", "EPERM", (files) => files.open(".")],
    ["/dev/null", "EPERM", (files) => files.open("/dev/null")],
    ["the engine's own descriptor", "EINVAL", (_, engine) => engine.fd],
  ];

  for (const [what, code, open] of refused) {
    test(`${trigger}: enabling ${what} tells its error handler ${code}, leaves no entry, and disturbs no other change`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const errors: (SystemError | null)[] = [];
      const names = ["before", "refused", "after"];
      const counters = [files.eventfd(1), files.eventfd(1)];
      // A closed number would be given to the next file: it comes last.
      const fds = counters.toSpliced(1, 0, open(files, engine));
      const events = fds.map((fd, index) =>
        engine.register(
          fd,
          recorder.handlers(names[index], {
            error: (_, error) => void errors.push(error),
          }),
        )
      );
      for (const event of events) event.enableRead();
      assertEquals(engine.turn(0), 3);
      assertEquals(recorder.take().sort(), [
        "after read",
        "before read",
        `refused error ${code}`,
      ]);
      assertEquals(errors[0]?.syscall, "epoll_ctl");
      assertEquals(errors[0]?.fd, fds[1]);
      const { readState, writeState, changing } = events[1];
      assertEquals([readState, writeState, changing], [
        "inactive",
        "inactive",
        false,
      ]);
      assertEquals(
        epollEntries(engine.fd).map(({ fd }) => fd),
        counters,
      );

      // Once more: the same answer, and the engine as good as before.
      events[1].enable();
      engine.turn(0);
      assert(recorder.take().includes(`refused error ${code}`));
      assertEquals(engine.turn(0), trigger === "level" ? 2 : 0);
    });

    test(`${trigger}: the refusal of ${what} goes to onError where the event has no error handler`, () => {
      using files = new Files();
      const seen: [string, object][] = [];
      using engine = new Engine({
        trigger,
        onError: (error, source) =>
          void seen.push([(error as SystemError).code, source]),
      });
      const event = engine.register(open(files, engine), { read() {} });
      event.enableRead();
      engine.turn(0);
      assertEquals(seen.map(([code]) => code), [code]);
      assert(seen[0][1] === event);
    });

    test(`${trigger}: the refusal of ${what} comes out of turn() where nobody handles it, and the engine goes on`, () => {
      using files = new Files();
      using engine = new Engine({ trigger });
      const recorder = new Recorder();
      const counter = files.eventfd(1);
      engine.register(open(files, engine), { read() {} }).enableRead();
      engine.register(
        counter,
        recorder.handlers("counter", {
          read: (event) => void event.read(new Uint8Array(8)),
        }),
      ).enableRead();
      const error = assertThrows(() => engine.turn(0)) as SystemError;
      assertEquals([error.name, error.code], ["SystemError", code]);
      assertEquals(engine.turn(0), 1);
      assertEquals(recorder.take(), ["counter read"]);
    });
  }

  test(`${trigger}: engines that would contain each other are told ELOOP`, () => {
    using outer = new Engine({ trigger });
    using inner = new Engine({ trigger });
    const recorder = new Recorder();
    outer.register(inner.fd, recorder.handlers("inner")).enableRead();
    outer.turn(0);
    inner.register(outer.fd, recorder.handlers("outer")).enableRead();
    inner.turn(0);
    assertEquals(recorder.take(), ["outer error ELOOP"]);
    assertEquals(epollEntries(inner.fd), []);
  });

  test(`${trigger}: an entry that somebody else put into the engine's set is taken over`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const recorder = new Recorder();
    const counter = files.eventfd(1);
    const entry = new EpollEvents(1);
    entry.set(0, EPOLLIN, 12_345, 6);
    assertEquals(
      epoll_ctl(engine.fd, EPOLL_CTL_ADD, counter, entry.words),
      0,
    );
    engine.register(counter, recorder.handlers("counter")).enableRead();
    assertEquals(engine.commit(), 2);
    assertEquals(
      kernel.named("epoll_ctl").map(({ args }) => args[1]),
      [EPOLL_CTL_ADD, EPOLL_CTL_MOD],
    );
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["counter read"]);
  });

  test(`${trigger}: an entry that somebody else took out of the engine's set is put back by the next change`, () => {
    using files = new Files();
    const kernel = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, kernel.calls);
    const recorder = new Recorder();
    const [end] = files.unixPair();
    const event = engine.register(end, recorder.handlers("end"));
    event.enableRead();
    engine.commit();
    assertEquals(epoll_ctl(engine.fd, EPOLL_CTL_DEL, end, null), 0);
    kernel.reset();
    event.enableWrite();
    assertEquals(engine.commit(), 2);
    assertEquals(
      kernel.named("epoll_ctl").map(({ args }) => args[1]),
      [EPOLL_CTL_MOD, EPOLL_CTL_ADD],
    );
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["end write"]);
    // Or is gone without a word.
    assertEquals(epoll_ctl(engine.fd, EPOLL_CTL_DEL, end, null), 0);
    event.delete();
    engine.turn(0);
    assertEquals(recorder.take(), []);
  });

  test(`${trigger}: a user's mistake in registering throws, and leaves the engine as it was`, () => {
    using files = new Files();
    using engine = new Engine({ trigger });
    const recorder = new Recorder();
    for (const fd of [-1, 1.5, NaN, Infinity, 2 ** 31, -(2 ** 31)]) {
      assertThrows(() => engine.register(fd, {}), RangeError);
    }
    const counter = files.eventfd(1);
    const event = engine.register(counter, recorder.handlers("first"));
    assertThrows(
      () => engine.register(counter, recorder.handlers("second")),
      Error,
      "registered already",
    );
    event.enableRead();
    assertEquals(engine.turn(0), 1);
    assertEquals(recorder.take(), ["first read"]);
  });
}

test("an engine for no events, or fewer, is refused", () => {
  for (const eventsMax of [0, -1, 1.5, NaN]) {
    assertThrows(() => new Engine({ eventsMax }), RangeError, "eventsMax");
  }
});

test("each failing call gives its own errno while garbage is collected", () => {
  const ROUNDS = 3_000;
  using files = new Files();
  using epoll = new RawEpoll();
  const c = systemCalls;
  const counter = files.eventfd();
  const [reader] = files.pipe();
  const [end, peer] = files.unixPair();
  files.close(peer);
  const idle = files.tcpSocket();
  // A failed shutdown leaves its mark all the same.
  const idleToo = files.tcpSocket();
  const listening = files.listener();
  const bytes = new Uint8Array(8);
  const address = new Uint8Array(128);
  const { words } = new EpollEvents(1);
  const failing: [expected: string, call: () => number][] = [
    ["EINVAL", () => c.epoll_create1(1)],
    ["ENOENT", () => c.epoll_ctl(epoll.fd, EPOLL_CTL_MOD, counter, words)],
    ["EBADF", () => c.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, -1, null)],
    ["EINVAL", () => c.epoll_wait(counter, words, 1, 0)],
    ["EBADF", () => c.epoll_wait(-1, words, 1, 0)],
    ["EBADF", () => c.epoll_pwait2(-1, words, 1, 0)],
    ["EINVAL", () => c.eventfd(0, 0x100)],
    ["EAGAIN", () => c.read(counter, bytes)],
    ["EBADF", () => c.read(-1, bytes)],
    ["EBADF", () => c.write(reader, bytes)],
    ["EPIPE", () => c.write(end, bytes)],
    ["EINVAL", () => c.write(counter, bytes.subarray(1))],
    ["EBADF", () => c.writev(reader, [bytes], 1)],
    ["EBADF", () => c.close(-1)],
    ["EBADF", () => c.fcntl(-1, 1, 0)],
    ["EINVAL", () => c.fcntl(counter, 12_345, 0)],
    ["EAFNOSUPPORT", () => c.socket(99, SOCK_STREAM, 0)],
    ["EPROTONOSUPPORT", () => c.socket(AF_INET, SOCK_STREAM, 17)],
    ["EADDRINUSE", () => c.bind(idle, loopback(listening.port))],
    ["ENOTSOCK", () => c.listen(counter, 1)],
    ["EAGAIN", () => c.accept4(listening.fd, 0)],
    ["EINVAL", () => c.accept4(idle, 0)],
    ["EISCONN", () => c.connect(listening.fd, loopback(listening.port))],
    ["ENOTSOCK", () => c.getsockname(counter, address)],
    ["ENOTCONN", () => c.getpeername(idle, address)],
    ["ENOTSOCK", () => c.getsockopt(counter, SOL_SOCKET, SO_ERROR, bytes)],
    ["ENOPROTOOPT", () => c.setsockopt(idle, SOL_SOCKET, 12_345, bytes)],
    ["ENOTCONN", () => c.recv(idle, bytes, 0)],
    ["EPIPE", () => c.send(end, bytes, 0)],
    ["ENOTCONN", () => c.shutdown(idleToo, 2)],
  ];
  const wrong: string[] = [];
  const survivors: unknown[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [expected, call] of failing) {
      const errno = call();
      if (errnoName(errno) !== expected) {
        wrong.push(`${call} gave ${errnoName(errno)}`);
      }
      survivors[round % 1_000] = new Array(50).fill({ round, expected });
    }
  }
  assertEquals(wrong, []);
});

test("user data with its high bits set comes back whole, from the kernel's list and from waits", () => {
  using files = new Files();
  const epfd = files.own(epoll_create1(0));
  const counter = files.eventfd(1);
  const values = [
    0,
    1,
    -1,
    0x7fffffff,
    -0x80000000,
    0x55555555,
    0xaaaaaaaa | 0,
    0xfffffffe | 0,
  ];
  const entry = new EpollEvents(1);
  const events = new EpollEvents(4);
  const survivors: unknown[] = [];
  for (let round = 0; round < 200; round++) {
    for (const slot of values) {
      for (const generation of values) {
        entry.set(0, EPOLLIN, slot, generation);
        assertEquals(epoll_ctl(epfd, EPOLL_CTL_ADD, counter, entry.words), 0);
        if (round === 0) {
          const data = BigInt.asUintN(32, BigInt(generation)) << 32n |
            BigInt.asUintN(32, BigInt(slot));
          assertEquals(epollEntry(epfd, counter)?.data, data);
        }
        assertEquals(epoll_wait(epfd, events.words, 4, 0), 1);
        assert(
          events.mask(0) === EPOLLIN && events.slot(0) === slot &&
            events.generation(0) === generation,
        );
        epoll_ctl(epfd, EPOLL_CTL_DEL, counter, null);
        survivors[round % 100] = new Array(20).fill({ slot });
      }
    }
  }
});

for (const trigger of TRIGGERS) {
  test(`${trigger}: signals and stops during a wait of 1.5 s neither end it early nor throw, and one without end goes on`, async () => {
    await using program = Program.deno(
      "tests/conformance/interrupted_program.ts",
      { args: [trigger] },
    );
    await program.waitFor(/waiting/);
    let listening = false;
    const waited = program.waitFor(/listening/).then(() => listening = true);
    while (!listening) await interrupt(program);
    await waited;
    for (let round = 0; round < 10; round++) await interrupt(program);
    using files = new Files();
    files.client(await program.port());
    const { code, stderr, stdout } = await program.finished();
    assertEquals([code, stderr], [0, ""]);
    const [timed, endless]: InterruptedReport[] = stdout.split("\n")
      .filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    assertEquals([timed.ran, endless.ran], [0, 1]);
    assert(timed.elapsedMs >= 1_500, `waited ${timed.elapsedMs} ms`);
    assert(timed.interruptions > 0, "the first wait met no signal");
    assert(endless.interruptions > 0, "the second wait met no signal");
  });
}

/** Stops a program and lets it go on, and sends it a signal that it handles. */
async function interrupt(program: Program): Promise<void> {
  program.signal("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 10));
  program.signal("SIGCONT");
  program.signal("SIGUSR2");
  await new Promise((resolve) => setTimeout(resolve, 10));
}

/** The kernel's calls, and those of a kernel before Linux 5.11. */
const KERNELS: [name: string, calls: SystemCalls][] = [
  ["", systemCalls],
  [
    " without epoll_pwait2",
    { ...systemCalls, epoll_pwait2: () => -ENOSYS },
  ],
];

for (const [name, calls] of KERNELS) {
  test(`a wait of 100 µs${name} is neither early nor spent spinning, over 1,000 waits`, () => {
    let waits = 0;
    using engine = new Engine({}, {
      ...calls,
      epoll_wait(epfd, events, eventsMax, timeoutMs) {
        waits++;
        return calls.epoll_wait(epfd, events, eventsMax, timeoutMs);
      },
      epoll_pwait2(epfd, events, eventsMax, timeoutMs) {
        waits++;
        return calls.epoll_pwait2(epfd, events, eventsMax, timeoutMs);
      },
    });
    let shortest = Infinity;
    for (let wait = 0; wait < 1_000; wait++) {
      const start = systemCalls.now();
      assertEquals(engine.turn(0.1), 0);
      shortest = Math.min(shortest, systemCalls.now() - start);
    }
    assert(shortest >= 0.1, `${shortest} ms`);
    assert(waits <= 3_000, `${waits} waits`);
  });

  test(`a wait of 0${name} asks the kernel once, without a timeout`, () => {
    const kernel = new CountingCalls(calls);
    using engine = new Engine({}, kernel.calls);
    for (const timeoutMs of [0, -0]) {
      kernel.reset();
      assertEquals(engine.poll(timeoutMs), 0);
      assertEquals(engine.turn(timeoutMs), 0);
      assertEquals(kernel.count("epoll_pwait2"), 0);
      assertEquals(
        kernel.named("epoll_wait").map(({ args }) => args[3]),
        [0, 0],
      );
    }
  });

  test(`negative, infinite and huge timeouts${name} block until something happens`, async () => {
    const timeouts = [
      -1,
      -0.5,
      -(2 ** 40),
      -Infinity,
      Infinity,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32,
      2 ** 32 + 1,
      2 ** 53,
      2 ** 64,
      1e300,
      Number.MAX_VALUE,
    ];
    using files = new Files();
    using engine = new Engine({}, calls);
    const counter = files.eventfd();
    const entered = sharedWords(1);
    const read = (event: FdEvent) => void event.read(new Uint8Array(8));
    engine.register(counter, { read }).enableRead();
    const task: WakerTask = {
      tid: currentThread(),
      epfd: engine.fd,
      eventfd: counter,
      waits: timeouts.length,
      entered,
    };
    const waker = await Thread.start("./waker_thread.ts", task);
    for (const [index, timeoutMs] of timeouts.entries()) {
      raiseWord(entered, 0, index + 1);
      assertEquals(engine.turn(timeoutMs), 1, `timeout ${timeoutMs}`);
    }
    await waker.result;
  });
}

test("a timeout that is not a number is refused, and the engine goes on", () => {
  using engine = new Engine();
  for (const timeoutMs of [NaN, "1" as unknown as number]) {
    assertThrows(() => engine.poll(timeoutMs), RangeError);
    assertThrows(() => engine.turn(timeoutMs), RangeError);
  }
  assertEquals(engine.turn(0), 0);
});

for (const depth of [2, 3, 4, 5]) {
  test(`the kernel reports what is ready at every level of ${depth} nested epoll sets`, () => {
    using files = new Files();
    using sets = new DisposableStack();
    let inner = files.eventfd(1);
    const levels = Array.from({ length: depth }, () => {
      const set = sets.use(new RawEpoll());
      assertEquals(set.add(inner, EPOLLIN), 0);
      const contained = inner;
      inner = set.fd;
      return { set, contained };
    });
    for (const { set, contained } of levels) {
      assertEquals(set.wait(), [[contained, "IN"]]);
    }
  });

  for (const trigger of TRIGGERS) {
    test(`${trigger}: an event reaches the outermost of ${depth} nested engines, and the innermost handler through all of them`, () => {
      using files = new Files();
      using engines = new DisposableStack();
      const counter = files.eventfd();
      const recorder = new Recorder();
      const innermost = engines.use(new Engine({ trigger }));
      const read = (event: FdEvent) => {
        recorder.note("innermost");
        event.read(new Uint8Array(8));
      };
      innermost.register(counter, { read }).enableRead();
      innermost.turn(0);
      let outermost = innermost;
      for (let level = 2; level <= depth; level++) {
        const inner = outermost;
        outermost = engines.use(new Engine({ trigger }));
        const read = () => {
          recorder.note(`level ${level}`);
          inner.turn(0);
        };
        outermost.register(inner.fd, { read }).enableRead();
        outermost.turn(0);
      }
      for (let round = 0; round < 3; round++) {
        assertEquals(outermost.turn(0), 0);
        add(counter);
        assertEquals(outermost.turn(0), 1);
        const levels = Array.from(
          { length: depth - 1 },
          (_, index) => `level ${depth - index}`,
        );
        assertEquals(recorder.take(), [...levels, "innermost"]);
      }
    });
  }
}

test("the kernel and an engine refuse a sixth level of nesting", () => {
  using files = new Files();
  using sets = new DisposableStack();
  let inner = files.eventfd();
  for (let level = 1; level <= 5; level++) {
    const set = sets.use(new RawEpoll());
    set.add(inner, EPOLLIN);
    inner = set.fd;
  }
  using epoll = new RawEpoll();
  assertEquals(epoll.add(inner, EPOLLIN), -ELOOP);
  using engine = new Engine();
  const recorder = new Recorder();
  engine.register(inner, recorder.handlers("inner")).enableRead();
  engine.turn(0);
  assertEquals(recorder.take(), ["inner error ELOOP"]);
});
