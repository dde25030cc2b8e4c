/** The trace of an engine, and what node:diagnostics_channel is told. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EFD_CLOEXEC, EFD_NONBLOCK, eventfd, systemCalls } from "../ffi/mod.ts";
import {
  type DescriptorMessage,
  Engine,
  type EngineMessage,
  type ErrorMessage,
  type TraceEntry,
} from "../mod.ts";
import type { Loop } from "../src/loop.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";

function readable(): number {
  return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

/** An engine, and what it has told without times. */
function traced(): { engine: Engine; entries: TraceEntry[] } {
  const entries: TraceEntry[] = [];
  const engine = new Engine({ trace: (entry) => entries.push(entry) });
  return { engine, entries };
}

function texts(entries: TraceEntry[]): string[] {
  return entries.map(({ depth, text }) =>
    "  ".repeat(depth) + text.replaceAll(/-?\d+\.\d+/g, "N")
  );
}

test("trace tells of each step from a verb to the end of the handler", () => {
  const { engine, entries } = traced();
  using _ = engine;
  const event = engine.register(readable(), {
    read() {
      event.read(new Uint8Array(8));
      event.close();
    },
  });
  const { fd } = event;
  entries.length = 0;
  event.enableRead();
  engine.turn(0);
  assertEquals(texts(entries), [
    `enableRead(${fd})`,
    `epoll_ctl(${engine.fd}, EPOLL_CTL_ADD, ${fd}, EPOLLIN|EPOLLRDHUP|EPOLLET) = 0`,
    `commit() = 1`,
    `epoll_wait(${engine.fd}, [${eventBytes()} bytes], 512, 0) = 1`,
    `event ${fd}: EPOLLIN`,
    `read handler of ${fd} (user) begins`,
    `  read(${fd}, [8 bytes]) = 8`,
    `  close(${fd})`,
    `  epoll_ctl(${engine.fd}, EPOLL_CTL_DEL, ${fd}, NULL) = 0`,
    `  close(${fd}) = 0`,
    `read handler of ${fd} (user) took N ms`,
  ]);
  assertMatch(`${entries[6]}`, /^\d+\.\d{6} {3}read\(\d+, \[8 bytes\]\) = 8$/);
});

/** Bytes of 512 kernel events on this machine. */
function eventBytes(): number {
  const counting = new CountingCalls(systemCalls);
  using engine = new Engine({}, counting.calls);
  engine.turn(0);
  return (counting.named("epoll_wait")[0].args[1] as Int32Array).byteLength;
}

test("trace names the error that a call returns", () => {
  const { engine, entries } = traced();
  using _ = engine;
  using event = engine.register(readable(), {});
  event.read(new Uint8Array(8));
  event.read(new Uint8Array(8));
  const { kind, name, fd, text } = entries.at(-1) as TraceEntry;
  assertEquals([kind, name, fd], ["call", "read", event.fd]);
  assertEquals(text, `read(${event.fd}, [8 bytes]) = -1 EAGAIN`);
});

test("trace tells of timers: set, postponed, cancelled, fired", () => {
  const { engine, entries } = traced();
  using _ = engine;
  entries.length = 0;
  const timer = engine.timer(60_000, () => {});
  timer.reset(50_000);
  timer.cancel();
  timer.cancel();
  engine.timer(0, () => {});
  engine.turn(0);
  assertEquals(texts(entries).filter((text) => text.startsWith("timer")), [
    "timer 1 set, due in N ms",
    "timer 1 set, due in N ms",
    "timer 1 cancelled",
    "timer 2 set, due in N ms",
    "timer 2, N ms late, begins",
    "timer 2, N ms late, took N ms",
  ]);
});

test("trace tells what a handler threw, and which handlers were dropped", () => {
  const { engine, entries } = traced();
  using _ = engine;
  const second = engine.register(readable(), { read() {} });
  const first = engine.register(readable(), {
    read() {
      first.close();
      second.close();
      throw new Error("expected");
    },
  });
  first.enableRead();
  second.enableRead();
  assertThrows(() => engine.turn(0), Error, "expected");
  engine.turn(0);
  const told = entries.filter(({ kind }) =>
    kind === "throw" || kind === "stale"
  );
  assertEquals(told.map(({ text }) => text), [
    `read handler of ${first.fd} (user) threw Error: expected`,
    `read handler of ${second.fd} (user) dropped`,
  ]);
  assertEquals((told[0].error as Error).message, "expected");
});

test("a trace function that uses the engine is not told of itself", () => {
  const entries: TraceEntry[] = [];
  using engine: Engine = new Engine({
    trace(entry) {
      entries.push(entry);
      if (entry.kind === "end") engine.timer(0, () => {});
    },
  });
  engine.timer(0, () => {});
  engine.turn(0);
  assertEquals(entries.filter(({ name }) => name === "set").length, 1);
});

/** Runs `run` and returns what `channel` was told meanwhile. */
function told<Message>(channel: string, run: () => void): Message[] {
  const messages: Message[] = [];
  const note = (message: unknown) => messages.push(message as Message);
  subscribe(channel, note);
  try {
    run();
  } finally {
    unsubscribe(channel, note);
  }
  return messages;
}

test("edgewise:engine is told when an engine runs, stops and closes", () => {
  const messages = told<EngineMessage>("edgewise:engine", () => {
    using engine = new Engine({ channels: true });
    engine.timer(0, () => engine.stop());
    engine.run();
    assertEquals(engine.metrics.timings, null);
  });
  assertEquals(
    messages.map(({ state }) => state),
    ["running", "stopped", "closed"],
  );
});

test("edgewise:descriptor is told of each descriptor that comes and goes", () => {
  const messages = told<DescriptorMessage>("edgewise:descriptor", () => {
    using engine = new Engine({ channels: true });
    const event = engine.register(readable(), {});
    event.close();
    engine.listen({ port: 0 }, {});
  });
  assertEquals(messages.map(({ owner, state }) => `${owner} ${state}`), [
    "user registered",
    "user gone",
    "Listener registered",
    "Listener gone",
  ]);
  assertEquals(messages[0].fd, messages[1].fd);
});

test("edgewise:error is told of what a handler threw, before onError is", () => {
  const order: string[] = [];
  const messages = told<ErrorMessage>("edgewise:error", () => {
    using engine = new Engine({
      channels: true,
      onError: () => order.push("on"),
    });
    engine.timer(0, () => {
      throw new Error("expected");
    });
    engine.turn(0);
  });
  assertEquals(order, ["on"]);
  assertEquals(messages.map(({ error }) => (error as Error).message), [
    "expected",
  ]);
});

test("nothing stands in the way of an engine that is not watched", () => {
  using plain = new Engine();
  using watched = new Engine({ timings: true });
  const replaced = ({ parts }: Engine) =>
    [
      ...Object.getOwnPropertyNames(parts.changes),
      ...Object.getOwnPropertyNames(parts.registry),
      ...Object.getOwnPropertyNames(parts.queues.all[0]),
      ...Object.getOwnPropertyNames((parts as Loop).dispatcher),
    ].filter((name) => name !== "halted");
  assertEquals(replaced(plain), []);
  assertEquals(plain.parts.calls, systemCalls);
  assertEquals(replaced(watched), ["push", "shift", "run", "runOne"]);
});

test("without channels, and without subscribers, nothing is told", () => {
  const messages = told<EngineMessage>("edgewise:engine", () => {
    using engine = new Engine();
    engine.turn(0);
  });
  assertEquals(messages, []);
  using engine = new Engine({ channels: true });
  engine.turn(0);
});
