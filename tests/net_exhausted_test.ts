/** Listening without a descriptor left: who waits, who is turned away. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENOMEM, ENOSPC, systemCalls } from "../ffi/mod.ts";
import { Engine, type ExhaustedPolicy } from "../mod.ts";
import type { ExhaustedReport } from "./children/net_exhausted.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { refusingToWatch, replacing } from "./support/faulty_calls.ts";
import {
  engineTest,
  Recorder,
  runUntil,
  settle,
  triggerTest,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";
import { denoArgs, Program } from "./support/process.ts";
import { until } from "./support/within.ts";

/** Descriptors that the server may have, its runtime's included. */
const LIMIT = 80;
/** More clients than that. */
const CROWD = 120;

/** The server, with few descriptors. */
class Server implements AsyncDisposable {
  readonly program: Program;
  readonly peers: Peer[] = [];
  port = 0;

  constructor(policy: ExhaustedPolicy) {
    const args = denoArgs("tests/children/net_exhausted.ts", {
      flags: ["--allow-ffi"],
      args: [policy],
    });
    this.program = new Program("sh", [
      "-c",
      `ulimit -n ${LIMIT}; exec "$@"`,
      "sh",
      Deno.execPath(),
      ...args,
    ]);
  }

  /** A client that has been accepted, or waits to be. */
  async connect(): Promise<Peer> {
    this.port ||= await this.program.port();
    const peer = Peer.connect(this.port);
    this.peers.push(peer);
    return peer;
  }

  /** What it says of itself, to a client that is served. */
  async report(peer: Peer): Promise<ExhaustedReport> {
    return JSON.parse(await answer(peer, "?"));
  }

  /** How often its engine was told of trouble. */
  get errors(): number {
    return this.program.stdout.match(/accept4: EMFILE/g)?.length ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.peers) peer.close();
    await this.program[Symbol.asyncDispose]();
  }
}

/** What comes back for a message, or `end` or an error's name. */
async function answer(peer: Peer, message: string): Promise<string> {
  peer.trySend(message);
  let text = "EAGAIN";
  await until(() => (text = peer.receiveText()) !== "EAGAIN");
  return text;
}

/** Waits until all clients but those that wait have been seen to. */
async function crowd(server: Server): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let count = 0; count < CROWD; count++) {
    peers.push(await server.connect());
  }
  await until(() => server.errors > 0);
  return peers;
}

test('with "wait" clients stay in the backlog until there is room', async () => {
  await using server = new Server("wait");
  const first = await server.connect();
  const peers = await crowd(server);
  const before = await server.report(first);
  assert(before.connections < LIMIT, JSON.stringify(before));
  // It rests: ten times a second it looks, and no more.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = await server.report(first);
  assert(after.turns - before.turns < 30, `${after.turns - before.turns}`);
  assertEquals(after.connections, before.connections);
  // Those that leave make room for those that wait, at once.
  const served = peers.slice(0, after.connections - 1);
  const waiting = peers.slice(after.connections - 1);
  for (const peer of served) peer.close();
  for (const peer of waiting.slice(0, served.length)) {
    assertEquals(await answer(peer, "served"), "served");
  }
  assertEquals(server.errors, 1);
});

test('with "shed" clients are turned away at once, and the rest go on', async () => {
  await using server = new Server("shed");
  const first = await server.connect();
  await server.report(first);
  const peers = await crowd(server);
  const answers = await Promise.all(peers.map((peer) => answer(peer, "hello")));
  const served = answers.filter((text) => text === "hello").length;
  assert(served > 10 && served < LIMIT, `${served} served`);
  // What was sent to one that is closed makes the kernel send a reset.
  for (const text of answers) {
    assert(["hello", "end", "ECONNRESET"].includes(text), text);
  }
  const report = await server.report(first);
  assertEquals(report.connections, served + 1);
  assertEquals(report.shed, CROWD - served);
  assertEquals(server.errors, 1);
  // One leaves, the next is served.
  peers[0]?.close();
  let text = "";
  while (text !== "again") text = await answer(await server.connect(), "again");
});

test('with "closeIdle" newcomers are served, and those idle longest are closed', async () => {
  await using server = new Server("closeIdle");
  const peers: Peer[] = [];
  for (let count = 0; count < CROWD; count++) {
    const peer = await server.connect();
    assertEquals(await answer(peer, `${count}`), `${count}`);
    peers.push(peer);
    // The first one is never idle for long.
    const [busy] = peers;
    if (busy !== undefined) assertEquals(await answer(busy, "busy"), "busy");
  }
  const states = peers.map((peer) => peer.receiveText());
  const closed = states.filter((text) => text === "end").length;
  assert(closed >= CROWD - LIMIT, `${closed} closed`);
  assertEquals(states[0], "EAGAIN");
  // The oldest but for the busy one.
  assertEquals(
    states.slice(1, closed + 1),
    states.slice(1, closed + 1).fill("end"),
  );
  assertEquals(states.slice(closed + 1).includes("end"), false);
});

triggerTest(
  "out of memory nobody is shed, and all are served in the end",
  (trigger) => {
    let failures = 3;
    const calls = replacing({
      accept4: (fd, flags) =>
        failures-- > 0 ? -ENOMEM : systemCalls.accept4(fd, flags),
    });
    const errors: unknown[] = [];
    using engine = new Engine(
      { trigger, onError: (error) => errors.push(error) },
      calls,
    );
    const recorder = new Recorder();
    const listener = engine.listen(
      { onExhausted: "shed" },
      recorder.handlers(),
    );
    using _peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    assertEquals(listener.shed, 0);
    assertEquals(errors.length, 1);
  },
);

for (const errno of [ENOMEM, ENOSPC]) {
  triggerTest(
    `a listener that the kernel could not watch for a while serves again: it closed for good (${errno})`,
    (trigger) => {
      const calls = refusingToWatch(errno, 3);
      const errors: unknown[] = [];
      const onError = (error: unknown) => errors.push(error);
      using engine = new Engine({ trigger, onError }, calls);
      const recorder = new Recorder();
      const listener = engine.listen({}, recorder.handlers());
      using _peer = Peer.connect(listener.port);
      runUntil(engine, () => recorder.has("open"));
      assert(engine.metrics.changesMade > 3);
      assertEquals(errors.length, 1);
    },
  );
}

engineTest(
  "a policy that there is none of is refused, and nothing leaks",
  (engine) => {
    const before = openDescriptors().size;
    const onExhausted = "panic" as ExhaustedPolicy;
    assertThrows(() => engine.listen({ onExhausted }, {}), TypeError, "panic");
    const path = "/nowhere/at/all";
    assertThrows(() => engine.listen({ path, onExhausted: "shed" }, {}));
    assertEquals(openDescriptors().size, before);
    engine.listen({ onExhausted: "shed" }, {}).close();
    assertEquals(openDescriptors().size, before);
    settle(engine);
  },
);
