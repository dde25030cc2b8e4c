/**
 * A worker that is terminated in mid-post, which Bun does and Deno doesn't (there
 * it goes on until the inbox closes, and its lane stays taken).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "../../src/engine.ts";
import { Outbox } from "../../src/outbox.ts";
import { lengthOf, MESSAGE_MAX } from "../inbox_stress_messages.ts";

const ROUNDS = 20;
const SENDER = new URL("../workers/endless_sender.ts", import.meta.url);
const endsInMidPost = "Bun" in globalThis;

/** Counts messages, and throws for one that is not whole, or not the next. */
class Numbered {
  count = 0;

  take(message: Uint8Array): void {
    assert.equal(message.length, lengthOf(this.count));
    for (const [at, byte] of message.entries()) {
      assert.equal(byte, this.count >>> 8 * (at & 3) & 255);
    }
    this.count++;
  }
}

/** An outbox as soon as there is a lane for it. */
async function opened(engine: Engine, open: () => Outbox): Promise<Outbox> {
  for (let tries = 0; tries < 5000; tries++) {
    engine.turn(0);
    try {
      return open();
    } catch (error) {
      assert.match(String(error), /sendersMax/);
      await sleep(1);
    }
  }
  throw new Error("The lane was never given back");
}

test("a worker ended in mid-post leaves whole messages and a lane that works", async () => {
  let total = 0;
  for (let round = 0; round < ROUNDS; round++) {
    using engine = new Engine();
    const numbered = new Numbered();
    let isLast = false;
    const inbox = engine.inbox(
      { sendersMax: 1, laneBytes: 1024, messageMax: MESSAGE_MAX },
      (message) => {
        if (message.length > 0) numbered.take(message);
        else isLast = true;
      },
    );
    const worker = new Worker(SENDER, { type: "module" });
    await new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage(inbox.address);
    });
    const enough = 500 + 37 * round;
    while (numbered.count < enough) engine.turn(1000);
    worker.terminate();
    total += numbered.count;
    if (!endsInMidPost) continue;
    using outbox = await opened(engine, () => new Outbox(inbox.address));
    engine.turn(0);
    assert.equal(outbox.post(new Uint8Array(0)), "sent");
    while (!isLast) engine.turn(1000);
  }
  assert.ok(total > 500 * ROUNDS);
});
