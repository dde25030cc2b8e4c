/** Inboxes and senders in other threads. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Engine, type Inbox, type InboxOptions, Outbox } from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { until, within } from "./support/within.ts";
import type { Order } from "./workers/inbox_poster.ts";

/** A worker that posts when it is told to, and ends with its scope. */
class Poster implements AsyncDisposable {
  readonly #worker = new Worker(
    new URL("workers/inbox_poster.ts", import.meta.url),
    { type: "module" },
  );

  /** What its posts answered. */
  post(
    { address }: Inbox,
    posts: number,
    timeoutMs: number,
  ): Promise<string[]> {
    return this.#order({ address, posts, timeoutMs });
  }

  /** Ends it as it is. */
  terminate(): void {
    this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#order({ address: null, posts: 0, timeoutMs: 0 });
    this.terminate();
  }

  #order(order: Order): Promise<string[]> {
    const answer = new Promise<string[]>((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => resolve(data);
      this.#worker.onerror = (event) => reject(new Error(event.message));
    });
    this.#worker.postMessage(order);
    return within(answer, "a worker");
  }
}

/** An engine with an inbox that notes the first byte of each message. */
function receiving(options: InboxOptions) {
  const engine = new Engine();
  const received: number[] = [];
  const inbox = engine.inbox(options, (message) => received.push(message[0]));
  return { engine, received, inbox };
}

/** Two messages fill a lane. */
const SMALL: InboxOptions = { laneBytes: 8, messageMax: 4 };

test("a post that waits goes on when the receiver makes room", async () => {
  const { engine, received, inbox } = receiving(SMALL);
  await using poster = new Poster();
  const results = poster.post(inbox, 10, 60_000);
  while (received.length < 10) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    engine.turn(0);
  }
  assertEquals(new Set(await results), new Set(["sent"]));
  assertEquals(received, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  engine.close();
});

test("a post that waits in vain answers full, and not before its time", async () => {
  const { engine, inbox } = receiving(SMALL);
  await using poster = new Poster();
  await poster.post(inbox, 2, 0);
  const begin = performance.now();
  assertEquals(await poster.post(inbox, 1, 30), ["full"]);
  assert(performance.now() - begin >= 30);
  engine.close();
});

test("a post that waits answers closed when the inbox closes", async () => {
  const { engine, inbox } = receiving(SMALL);
  await using poster = new Poster();
  assertEquals(await poster.post(inbox, 2, 0), ["sent", "sent"]);
  const last = poster.post(inbox, 1, -1);
  // Likely enough it waits by now; if not, the answer is the same.
  await new Promise((resolve) => setTimeout(resolve, 20));
  inbox.close();
  assertEquals(await last, ["closed"]);
  engine.close();
});

test("posts wake an engine that is blocked in its wait", async () => {
  const { engine, received, inbox } = receiving({});
  await using poster = new Poster();
  await poster.post(inbox, 0, 0);
  for (let round = 0; round < 50; round++) {
    const results = poster.post(inbox, 1, 0);
    // What woke it may have been the end of the post before.
    while (received.length === round) engine.turn(10_000);
    assertEquals(received.length, round + 1);
    assertEquals(await results, ["sent"]);
  }
  engine.close();
});

test("what terminated workers had open is closed with the inbox, whether they are gone by then or not", async () => {
  const { engine, inbox } = receiving({ sendersMax: 3 });
  const posters = [new Poster(), new Poster(), new Poster()];
  for (const poster of posters) await poster.post(inbox, 1, 0);
  for (const poster of posters) poster.terminate();
  engine.close();
});

test("the lane and the descriptor of a terminated worker are taken over", async () => {
  const { engine, received, inbox } = receiving({ sendersMax: 1 });
  const poster = new Poster();
  await poster.post(inbox, 2, 0);
  assertThrows(() => new Outbox(inbox.address), Error, "sendersMax");
  poster.terminate();
  let outbox: Outbox | null = null;
  await until(() => {
    try {
      outbox = new Outbox(inbox.address);
      return true;
    } catch {
      // Its thread has not ended yet.
      return false;
    }
  });
  const next = outbox as unknown as Outbox;
  assertEquals(next.post(Uint8Array.of(7)), "sent");
  engine.turn(10_000);
  assertEquals(received, [0, 1, 7]);
  next.close();
  engine.close();
});
