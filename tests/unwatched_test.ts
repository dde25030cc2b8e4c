/** What the kernel has no memory, or the user no watches left, to watch. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Engine, Outbox, ProcessWatch, SystemError, TimerFd } from "../mod.ts";
import {
  close,
  ENOMEM,
  ENOSPC,
  EPERM,
  EPOLL_CTL_ADD,
  systemCalls,
} from "../ffi/mod.ts";
import { Files } from "./conformance/files.ts";
import { test } from "./support/descriptors.ts";
import { refusingToWatch, replacing } from "./support/faulty_calls.ts";
import {
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { until, within } from "./support/within.ts";

const CODES: Record<number, string> = {
  [ENOMEM]: "ENOMEM",
  [ENOSPC]: "ENOSPC",
};

/** More than one, so that one report shows that it is told once. */
const REFUSALS = 2;

/** Something opened that an engine is to hear of. */
interface Opened {
  /** Whether it has heard. */
  heard(): boolean;
  close?(): void | Promise<void>;
}

const OPENERS: [name: string, open: (engine: Engine) => Opened][] = [
  ["an inbox that was deaf for good is woken", (engine) => {
    const inbox = engine.inbox({}, () => {});
    const outbox = new Outbox(inbox.address);
    return {
      heard() {
        outbox.notify();
        return engine.metrics.wakeups > 0;
      },
      close: () => outbox.close(),
    };
  }],
  ["a TimerFd that never fired fires", (engine) => {
    let expired = 0;
    const timer = new TimerFd(engine, () => expired++);
    timer.set({ afterMs: 0 });
    return { heard: () => expired > 0 };
  }],
  ["a ProcessWatch that never ended tells of the end", (engine) => {
    const child = spawn("true", { stdio: "ignore" });
    const reaped = new Promise<void>((resolve) => child.on("close", resolve));
    let ended = false;
    new ProcessWatch(engine, child.pid as number, () => ended = true);
    return { heard: () => ended, close: () => reaped };
  }],
  ["a name that was never found is found", (engine) => {
    const recorder = new Recorder();
    const to = { hostname: "localhost", port: 1 };
    engine.connect(to, recorder.handlers());
    return { heard: () => recorder.has("error ECONNREFUSED") };
  }],
  ["a FileIo that never answered answers", (engine) => {
    const fd = openSync("deno.json", "r");
    let count = 0;
    const io = engine.fileIo();
    io.read(fd, new Uint8Array(8), 0, (bytes) => count = bytes);
    return { heard: () => count === 8, close: () => closeSync(fd) };
  }],
];

for (const [name, open] of OPENERS) {
  triggerTest(`${name} once the kernel can watch it`, async (trigger) => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    using engine = new Engine(
      { trigger, onError },
      refusingToWatch(ENOMEM, REFUSALS),
    );
    const { heard, close } = open(engine);
    runUntil(engine, heard);
    await close?.();
    assertEquals(errors.length, 1);
    assertInstanceOf(errors[0], SystemError);
    assertEquals(errors[0].code, "ENOMEM");
  });
}

triggerTest(
  "without onError it is nobody's trouble, and is tried again",
  (trigger) => {
    using engine = new Engine({ trigger }, refusingToWatch(ENOSPC, REFUSALS));
    let expired = 0;
    const timer = new TimerFd(engine, () => expired++);
    timer.set({ afterMs: 0 });
    runUntil(engine, () => expired > 0);
  },
);

test("stop() ends a start() whose bell could not be watched: it went on for ever", async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  let waits = 0;
  const calls = refusingToWatch(ENOMEM, Infinity);
  using engine = new Engine({ onError }, {
    ...calls,
    waitReadable(fd, timeoutMs) {
      waits++;
      return calls.waitReadable(fd, timeoutMs);
    },
  });
  const running = engine.start();
  await until(() => waits > 0);
  engine.stop();
  await within(running);
  assertEquals(errors.length, 1);
});

test("what is closed while it waits to be watched is not watched", () => {
  using engine = new Engine({ onError() {} }, refusingToWatch(ENOSPC, 1));
  const timer = new TimerFd(engine, () => {});
  engine.turn(0);
  timer.close();
  let later = false;
  engine.timer(150, () => later = true);
  runUntil(engine, () => later);
  assertEquals(engine.metrics.changesMade, 1);
});

triggerTest(
  "what can't be watched at all is an error, and is not tried again",
  (trigger) => {
    const errors: [error: unknown, source: object][] = [];
    using engine = new Engine({
      trigger,
      onError: (...error) => errors.push(error),
    }, refusingToWatch(EPERM, REFUSALS));
    const timer = new TimerFd(engine, () => {});
    settle(engine);
    assertEquals(errors.map(([error]) => (error as SystemError).code), [
      "EPERM",
    ]);
    assertEquals(engine.metrics.changesMade, 1);
    timer.close();
  },
);

for (const errno of [ENOMEM, ENOSPC]) {
  triggerTest(
    `who has a socket that can't be watched is told, and that it is closed (${errno})`,
    (trigger) => {
      using engine = new Engine({ trigger }, refusingToWatch(errno, 1));
      const log: string[] = [];
      const datagram = engine.datagram({}, {
        error: (_, { code }) => log.push(code),
        close: () => log.push("close"),
      });
      settle(engine);
      assertEquals(log, [CODES[errno], "close"]);
      assertEquals(datagram.closed, true);
    },
  );

  triggerTest(
    `who has a connection that can't be watched is told, and that it is closed (${errno})`,
    (trigger) => {
      let refused = 0;
      const calls = replacing({
        epoll_ctl(epfd, op, fd, event) {
          if (op === EPOLL_CTL_ADD && fd !== listener.fd) {
            refused++;
            return -errno;
          }
          return systemCalls.epoll_ctl(epfd, op, fd, event);
        },
      });
      using engine = new Engine({ trigger }, calls);
      const recorder = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      using peer = Peer.connect(listener.port);
      runUntil(engine, () => recorder.has("close"));
      assertEquals(recorder.log, ["open", `error ${CODES[errno]}`, "close"]);
      recorder.log.length = 0;
      engine.connect({ port: listener.port }, recorder.handlers({}, "client "));
      runUntil(engine, () => recorder.has("client close"));
      assertEquals(recorder.log.filter((line) => line.startsWith("client")), [
        `client error ${CODES[errno]}`,
        "client close",
      ]);
      assert(refused > 1);
      assert(peer.receiveText() !== "");
    },
  );
}

triggerTest(
  "a hang-up after a refused change hid why: the error was null",
  (trigger) => {
    using files = new Files();
    using engine = new Engine({ trigger }, refusingToWatch(ENOMEM, 1));
    const [reader, writer] = files.pipe();
    const told: (string | undefined)[] = [];
    const event = engine.register(reader, {
      error: (_, error) => void told.push(error?.code),
    });
    event.enableRead();
    engine.commit();
    close(files.handOver(writer));
    event.enableRead();
    assertEquals(engine.poll(0), 1);
    engine.dispatch();
    assertEquals(told, ["ENOMEM"]);
  },
);
