/**
 * Workers that are terminated in mid-post, one after the other, while others
 * post. Bun ends a worker there; Deno lets it go on, so that only the others
 * are left of this test.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "../../src/engine.ts";
import { Ledger } from "../stress/messages.ts";
import type { Scenario, SenderOrder } from "../stress/scenarios.ts";

const STEADY = 2;
const STEADY_MESSAGES = 15_000;
const VICTIMS = "Bun" in globalThis ? 12 : 0;
const VICTIM_MESSAGES = 1000;
/** Streams of the victims start here. */
const VICTIM_STREAM = 1000;

const SENDER = new URL("../stress/sender.ts", import.meta.url);

const scenario: Scenario = {
  name: "terminated senders",
  laneBytes: 512,
  messageMax: 256,
  shortest: 8,
  stallEvery: Infinity,
  stallMs: 0,
  comesAndGoes: false,
};

test("workers ended in mid-post leave whole messages and a lane that works, and hold nobody up", async () => {
  using engine = new Engine();
  const ledger = new Ledger(scenario);
  // One lane for all victims: each takes it over from the one before.
  const inbox = engine.inbox({
    sendersMax: STEADY + 1,
    laneBytes: scenario.laneBytes,
    messageMax: scenario.messageMax,
  }, (message) => ledger.take(message));

  const start = (stream: number, messages: number) => {
    const worker = new Worker(SENDER, { type: "module" });
    const order: SenderOrder = {
      scenario,
      address: inbox.address,
      stream,
      streamStep: 1,
      messages,
      abandons: false,
    };
    worker.postMessage(order);
    return worker;
  };
  const receive = async (stream: number, messages: number) => {
    for (let turns = 1; ledger.arrived(stream, messages) < messages; turns++) {
      engine.turn(1);
      // The runtime has threads to start and to end.
      if (turns % 16 === 0) await sleep(0);
    }
  };

  const steady = Array.from(
    { length: STEADY },
    (_, stream) => start(stream, STEADY_MESSAGES),
  );
  // They hold their lanes before the first victim looks for one.
  for (let stream = 0; stream < STEADY; stream++) await receive(stream, 1);
  for (let victim = 0; victim < VICTIMS; victim++) {
    const stream = VICTIM_STREAM + victim;
    const worker = start(stream, Infinity);
    await receive(stream, VICTIM_MESSAGES + 37 * victim);
    worker.terminate();
  }
  for (let stream = 0; stream < STEADY; stream++) {
    await receive(stream, STEADY_MESSAGES);
    assert.equal(ledger.arrived(stream, STEADY_MESSAGES), STEADY_MESSAGES);
  }
  for (const worker of steady) worker.terminate();
});
