/** The system calls that connections cost. */
import process from "node:process";
import { assertEquals } from "@std/assert";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL } from "../ffi/mod.ts";
import type { Engine } from "../mod.ts";
import type { CountingCalls } from "./support/counting_calls.ts";
import {
  countingTest,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

const MESSAGES = 25;
const FAMILIES = {
  TCP: {},
  unix: { path: `\0edgewise-${process.pid}-calls` },
};

/** An echo server with one client, connected and accepted. */
function echo(
  engine: Engine,
  options = {},
): { recorder: Recorder; peer: Peer } {
  const recorder = new Recorder();
  const listener = engine.listen(
    options,
    recorder.handlers({
      data: (connection, chunk) => void connection.write(chunk),
    }),
  );
  const peer = Peer.connect(listener.localAddress);
  runUntil(engine, () => recorder.has("open"));
  return { recorder, peer };
}

/** Sends a message, and turns the engine until it is back. */
function exchange(engine: Engine, peer: Peer, text: string): void {
  peer.send(text);
  let answer = "EAGAIN";
  runUntil(engine, () => {
    answer = peer.receiveText();
    return answer !== "EAGAIN";
  });
  assertEquals(answer, text);
}

/** The epoll_ctl operations on a descriptor. */
function operations(counting: CountingCalls, fd: number): unknown[] {
  return counting.named("epoll_ctl")
    .filter(({ args }) => args[2] === fd)
    .map(({ args }) => args[1]);
}

for (const [family, options] of Object.entries(FAMILIES)) {
  countingTest(
    `a connection is added once, and deleted once, in its life: ${family}`,
    (engine, counting) => {
      const { recorder, peer } = echo(engine, options);
      const { fd } = recorder.connection;
      for (let index = 0; index < MESSAGES; index++) {
        exchange(engine, peer, `${index}`);
      }
      assertEquals(operations(counting, fd), [EPOLL_CTL_ADD]);
      peer.finish();
      runUntil(engine, () => recorder.has("close"));
      assertEquals(operations(counting, fd), [EPOLL_CTL_ADD, EPOLL_CTL_DEL]);
      assertEquals(counting.count("close", fd), 1);
      peer.close();
    },
  );
}

countingTest(
  "a small message costs one recv and one send",
  (engine, counting) => {
    const { recorder, peer } = echo(engine);
    const { fd } = recorder.connection;
    exchange(engine, peer, "first");
    counting.reset();
    for (let index = 0; index < MESSAGES; index++) {
      exchange(engine, peer, `${index}`);
    }
    assertEquals(counting.count("recv", fd), MESSAGES);
    assertEquals(counting.count("send", fd), MESSAGES);
    const others = counting.log.filter(({ name }) =>
      !["recv", "send", "epoll_wait", "epoll_pwait2"].includes(name)
    );
    assertEquals(others, []);
    peer.close();
  },
);

countingTest(
  "a full buffer is waited for without asking again",
  (engine, counting, trigger) => {
    const { recorder, peer } = echo(engine);
    const { connection } = recorder;
    settle(engine);
    counting.reset();
    // The kernel's refusal is met once, then the buffer fills.
    while (connection.write(new Uint8Array(100_000)) > 0);
    assertEquals(
      counting.named("send").filter(({ result }) => result === -11).length,
      1,
    );
    const sends = counting.count("send");
    for (let turn = 0; turn < 3; turn++) engine.turn(1);
    assertEquals(counting.count("send"), sends);
    runUntil(engine, () => {
      peer.drain();
      return connection.bufferedBytes === 0;
    });
    const { fd } = connection;
    // Level-triggered, the interest in writing comes and goes: two MODs.
    engine.commit();
    assertEquals(operations(counting, fd).length, trigger === "edge" ? 0 : 2);
    peer.close();
  },
);
