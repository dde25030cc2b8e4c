/**
 * Many workers post messages of mixed sizes into one engine: none may be lost,
 * torn, doubled or out of order.
 *
 *     deno run --allow-all tests/inbox_stress.ts [posts of each worker] [workers]
 */
import { Engine, type InboxOptions } from "../mod.ts";
import {
  type Assignment,
  fillOf,
  HEADER_BYTES,
  lengthOf,
  MESSAGE_MAX,
} from "./inbox_stress_messages.ts";

/** What makes it hard. */
export type Hardship = "full lanes" | "a slow receiver" | "coming and going";

const OPTIONS: Record<Hardship, InboxOptions> = {
  "full lanes": { laneBytes: 1024 },
  "a slow receiver": { laneBytes: 65536 },
  "coming and going": { laneBytes: 4096 },
};

/** Messages through each outbox of a worker that comes and goes. */
const SESSION_POSTS = 1000;

/** Messages after which a slow receiver pauses, and for how long. */
const PAUSE_AFTER = 20_000;
const PAUSE_MS = 2;

/** Checks what arrives. */
class Receipts {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  /** The number expected next, by sender and session. */
  readonly #next = new Map<number, number>();
  received = 0;
  /** Sessions of which everything has arrived. */
  complete = 0;

  constructor() {
    this.#words = new Uint32Array(MESSAGE_MAX / 4);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  take(message: Uint8Array): void {
    this.#bytes.set(message);
    const [sender, session, number, left] = this.#words;
    const key = sender * 0x1000000 + session;
    const expected = this.#next.get(key) ?? 0;
    const what = `message ${number} of session ${session} of sender ${sender}`;
    if (number !== expected) {
      throw new Error(`${what} instead of ${expected}`);
    }
    if (message.length !== lengthOf(number)) {
      throw new Error(`${what} has ${message.length} bytes`);
    }
    const fill = fillOf(sender, number);
    for (let at = HEADER_BYTES; at < message.length; at++) {
      if (message[at] !== fill) throw new Error(`${what} is torn at ${at}`);
    }
    this.received++;
    if (left > 0) {
      this.#next.set(key, number + 1);
    } else {
      this.#next.set(key, Infinity);
      this.complete++;
    }
  }
}

/** Runs it, and returns how many messages arrived, and in how many milliseconds. */
export async function stress(
  hardship: Hardship,
  posts: number,
  workers = 8,
): Promise<{ received: number; elapsedMs: number }> {
  using engine = new Engine();
  const receipts = new Receipts();
  const comesAndGoes = hardship === "coming and going";
  const sessions = comesAndGoes ? Math.ceil(posts / SESSION_POSTS) : 1;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const inbox = engine.inbox({
    sendersMax: workers,
    messageMax: MESSAGE_MAX,
    ...OPTIONS[hardship],
  }, (message) => {
    receipts.take(message);
    if (hardship === "a slow receiver") {
      const isDue = receipts.received % PAUSE_AFTER === 0;
      if (isDue) Atomics.wait(pause, 0, 0, PAUSE_MS);
    }
    if (receipts.complete === workers * sessions) engine.stop();
  });
  const url = new URL("workers/inbox_sender.ts", import.meta.url);
  const threads: Worker[] = [];
  try {
    for (let sender = 0; sender < workers; sender++) {
      threads.push(new Worker(url, { type: "module" }));
      // One after the other: the first has the module checked for all.
      await said(threads[sender], "ready");
    }
    const finished = Promise.all(
      threads.map((thread) => said(thread, "finished")),
    );
    const begin = performance.now();
    for (const [sender, thread] of threads.entries()) {
      const assignment: Assignment = {
        address: inbox.address,
        sender,
        sessions,
        posts: Math.ceil(posts / sessions),
      };
      thread.postMessage(assignment);
    }
    engine.run();
    const elapsedMs = performance.now() - begin;
    await finished;
    return { received: receipts.received, elapsedMs };
  } finally {
    for (const thread of threads) thread.terminate();
  }
}

/** Waits until a worker says so, or fails. */
function said(thread: Worker, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.onerror = (event) => reject(new Error(event.message));
    thread.onmessage = ({ data }) =>
      data === expected ? resolve() : reject(new Error(data));
  });
}

if (import.meta.main) {
  const [posts = 1_000_000, workers = 8] = Deno.args.map(Number);
  for (const hardship of Object.keys(OPTIONS) as Hardship[]) {
    const { received, elapsedMs } = await stress(hardship, posts, workers);
    const rate = received / elapsedMs / 1000;
    console.log(
      `${hardship}: ${received} messages in order in ${
        (elapsedMs / 1000).toFixed(1)
      } s, ${rate.toFixed(2)} million a second`,
    );
  }
}
