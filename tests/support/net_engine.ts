/** Engines for tests of the network: both triggers, turned until something holds. */
import { Buffer } from "node:buffer";
import type {
  Connection,
  ConnectionHandlers,
  SystemError,
  Trigger,
} from "../../mod.ts";
import { Engine } from "../../mod.ts";
import { systemCalls } from "../../ffi/mod.ts";
import { CountingCalls } from "./counting_calls.ts";
import { test } from "./descriptors.ts";
import type { Peer } from "./net_peer.ts";

/** The two kinds of engine. */
export const TRIGGERS: readonly Trigger[] = ["edge", "level"];

/** A test for each trigger. */
export function triggerTest(
  name: string,
  fn: (trigger: Trigger) => void | Promise<void>,
): void {
  for (const trigger of TRIGGERS) {
    test(`${name} (${trigger})`, () => fn(trigger));
  }
}

/** A test with an edge-triggered engine, and one with a level-triggered. */
export function engineTest(
  name: string,
  fn: (engine: Engine, trigger: Trigger) => void | Promise<void>,
): void {
  triggerTest(name, async (trigger) => {
    using engine = new Engine({ trigger });
    await fn(engine, trigger);
  });
}

/** The same with an engine that hands what handlers throw to `errors`. */
export function throwingTest(
  name: string,
  fn: (engine: Engine, errors: unknown[]) => void,
): void {
  triggerTest(name, (trigger) => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    using engine = new Engine({ trigger, onError });
    fn(engine, errors);
  });
}

/** The same with an engine whose system calls are noted. */
export function countingTest(
  name: string,
  fn: (engine: Engine, counting: CountingCalls, trigger: Trigger) => void,
): void {
  triggerTest(name, (trigger) => {
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger }, counting.calls);
    fn(engine, counting, trigger);
  });
}

/** Enough for a loaded machine; what works is never near it. */
const DEADLINE_MS = 10_000;

/** Turns the engine until `condition` holds. */
export function runUntil(engine: Engine, condition: () => boolean): void {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    engine.turn(1);
    if (performance.now() > deadline) {
      throw new Error(`It never came to ${condition}`);
    }
  }
}

/** Turns the engine until the peer has received `length` bytes. */
export function receive(
  engine: Engine,
  peer: Pick<Peer, "receive">,
  length: number,
): Buffer {
  const chunks: Uint8Array[] = [];
  let received = 0;
  runUntil(engine, () => {
    const chunk = peer.receive();
    if (typeof chunk !== "string") {
      chunks.push(chunk);
      received += chunk.length;
    }
    return received >= length;
  });
  return Buffer.concat(chunks);
}

/** What has work for so many turns never comes to rest. */
const TURNS_MAX = 20_000;

/** Turns the engine until there is nothing left to do. */
export function settle(engine: Engine): void {
  let quiet = 0;
  for (let turns = 0; quiet < 3; turns++) {
    quiet = engine.turn(0) === 0 ? quiet + 1 : 0;
    if (turns > TURNS_MAX) throw new Error("It never comes to rest");
  }
}

/** Notes the callbacks of connections, in order. */
export class Recorder {
  /** Such as `data hello`, `error ECONNRESET`, `close`. */
  readonly log: string[] = [];
  /** The connections that opened. */
  readonly opened: Connection[] = [];
  /** The last error. */
  error: SystemError | null = null;

  /**
   * Handlers that note the call and then do what `own` says. `end` is among
   * them only if `own` has it.
   */
  handlers(own: ConnectionHandlers = {}, prefix = ""): ConnectionHandlers {
    const note = (what: string) => this.log.push(prefix + what);
    const handlers: ConnectionHandlers = {
      open: (connection) => {
        this.opened.push(connection);
        note("open");
        own.open?.(connection);
      },
      data: (connection, chunk) => {
        note(`data ${new TextDecoder().decode(chunk)}`);
        own.data?.(connection, chunk);
      },
      drain: (connection) => {
        note("drain");
        own.drain?.(connection);
      },
      error: (connection, error) => {
        this.error = error;
        note(`error ${error.code}`);
        own.error?.(connection, error);
      },
      close: (connection) => {
        note("close");
        own.close?.(connection);
      },
    };
    if (own.end !== undefined) {
      handlers.end = (connection) => {
        note("end");
        own.end?.(connection);
      };
    }
    return handlers;
  }

  /** The connection that opened first; there must be one. */
  get connection(): Connection {
    const [first] = this.opened;
    if (first === undefined) throw new Error("No connection has opened");
    return first;
  }

  /** Whether a callback has been noted. */
  has(what: string): boolean {
    return this.log.includes(what);
  }

  /** How often a callback has been noted. */
  count(what: string): number {
    return this.log.filter((noted) => noted === what).length;
  }
}

const encoder = new TextEncoder();

/** Text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes whose every place can be told from its neighbours, and from other seeds. */
export function pattern(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let word = Math.imul(seed, 0x9e3779b1);
  for (let index = 0; index < words.length; index++) {
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) + index | 0;
    words[index] = word;
  }
  return new Uint8Array(words.buffer, 0, length);
}
