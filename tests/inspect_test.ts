/** What an engine shows of its descriptors, beside the kernel's own list. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { inspect } from "node:util";
import {
  close,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EpollEvents,
  EPOLLIN,
  EPOLLOUT,
  eventfd,
  SystemError,
} from "../ffi/mod.ts";
import { Engine, type InspectedDescriptor, TimerFd } from "../mod.ts";
import { test } from "./support/descriptors.ts";

function readable(): number {
  return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

function inspected(engine: Engine, fd: number): InspectedDescriptor {
  const found = engine.inspect().descriptors.find((each) => each.fd === fd);
  assert(found !== undefined);
  return found;
}

test("inspect() names each descriptor's kind and owner", () => {
  using engine = new Engine();
  engine.inbox({}, () => {});
  engine.datagram({ port: 0 }, {});
  engine.fileIo();
  using _timer = new TimerFd(engine, () => {});
  const listener = engine.listen({ port: 0 }, {});
  engine.connect({ port: listener.port }, {});
  const event = engine.register(readable(), {});
  const found = engine.inspect();
  assertEquals(
    found.descriptors.map(({ kind, owner }) => `${kind} ${owner}`).sort(),
    [
      "eventfd FileIo",
      "eventfd Inbox",
      "eventfd user",
      "socket Connection",
      "socket Datagram",
      "socket Listener",
      "timerfd TimerFd",
    ],
  );
  assertEquals(found.inboxes, 1);
  event.close();
});

test("inspect() shows what verbs ask for before the kernel has it, and then both", () => {
  using engine = new Engine();
  using event = engine.register(readable(), { read() {} });
  assertEquals(inspected(engine, event.fd).kernelMask, null);
  event.enableRead();
  const wanted = ["EPOLLIN", "EPOLLRDHUP", "EPOLLET"];
  const before = inspected(engine, event.fd);
  assertEquals(
    [before.wantedMask, before.kernelMask, before.changing, before.problem],
    [wanted, null, true, null],
  );
  engine.poll(0);
  const after = inspected(engine, event.fd);
  assertEquals(
    [after.wantedMask, after.kernelMask, after.changing, after.problem],
    [wanted, wanted, false, null],
  );
  assertEquals(
    [after.readState, after.writeState, after.readReady, after.queued],
    ["active", "inactive", true, ["read"]],
  );
});

test("inspect() agrees with the kernel on a spent one-shot", () => {
  using engine = new Engine();
  using event = engine.register(readable(), { read() {} });
  event.oneshotRead();
  engine.turn(0);
  const { readState, kernelMask, problem } = inspected(engine, event.fd);
  assertEquals(
    [readState, kernelMask, problem],
    ["disabled", ["EPOLLONESHOT"], null],
  );
});

test("inspect() tells of a descriptor that somebody else has closed", () => {
  using engine = new Engine();
  const event = engine.register(readable(), { read() {} });
  event.enableRead();
  engine.turn(0);
  close(event.fd);
  const { kind, kernelMask, problem } = inspected(engine, event.fd);
  assertEquals([kind, kernelMask], ["closed", null]);
  assertEquals(problem, "closed by somebody else");
  event.detach();
});

test("inspect() tells of masks and entries that somebody else has set", () => {
  using engine = new Engine();
  using event = engine.register(readable(), { read() {} });
  event.enableRead();
  engine.turn(0);
  const entry = new EpollEvents(1);
  entry.set(0, EPOLLOUT, event.fd, event.generation);
  epoll_ctl(engine.fd, EPOLL_CTL_MOD, event.fd, entry.words);
  assertEquals(
    inspected(engine, event.fd).problem,
    "the kernel should have IN|RDHUP|ET",
  );
  const foreign = readable();
  entry.set(0, EPOLLIN, 1_000, -1);
  epoll_ctl(engine.fd, EPOLL_CTL_ADD, foreign, entry.words);
  const { owner, kernelMask, problem } = inspected(engine, foreign);
  assertEquals(
    [owner, kernelMask, problem],
    ["nobody", ["EPOLLIN"], "not registered with this engine"],
  );
  close(foreign);
});

test("inspect() as a string is a table, without columns in which nothing stands", () => {
  using engine = new Engine({ trigger: "level" });
  using event = engine.register(readable(), { read() {} });
  event.enableRead();
  engine.timer(60_000, () => {});
  engine.commit();
  const lines = `${engine.inspect()}`.split("\n");
  assertEquals(lines[0], `Engine on descriptor ${engine.fd}`);
  assertMatch(lines[2], /^timers: 1, the next in \d+\.\d{3} ms$/);
  assertEquals(lines[4], "queued: nothing");
  const cells = lines.slice(5).map((line) => line.split(/ +/));
  assertEquals(cells, [
    ["fd", "kind", "owner", "read", "write", "wanted", "kernel"],
    [`${event.fd}`, "eventfd", "user", "active", "inactive", "IN", "IN"],
  ]);
});

test("inspect() can be called from a handler while run() owns the thread", () => {
  using engine = new Engine();
  let text = "";
  engine.listen({ port: 0 }, {});
  engine.timer(0, () => {
    text = `${engine.inspect()}`;
    engine.stop();
  });
  engine.run();
  assertStringIncludes(text, "Listener");
});

test("console.log(engine) shows a line, also of a closed engine", () => {
  const engine = new Engine();
  const { fd } = engine;
  engine.timer(10, () => {});
  assertEquals(
    inspect(engine),
    `Engine { fd: ${fd}, descriptors: 0, timers: 1, queued: 0 }`,
  );
  engine.close();
  assertEquals(inspect(engine), `Engine { fd: ${fd}, closed: true }`);
  const error = assertThrows(() => engine.inspect(), SystemError);
  assertEquals([error.code, error.syscall], ["EBADF", "inspect"]);
});
