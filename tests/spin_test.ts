import { assert, assertEquals } from "@std/assert";
import { type SystemCalls, systemCalls } from "../ffi/mod.ts";
import { Engine } from "../src/engine.ts";
import { Outbox } from "../src/outbox.ts";
import { test } from "./support/descriptors.ts";

/** What one look or wait costs, and how long it takes to be woken. */
const LOOK_MS = 0.001;

/**
 * A kernel whose time passes with each look and wait, by a script: what is to
 * happen at which time.
 */
class Script {
  nowMs = 1_000;
  /** The timeouts of the looks and waits. */
  readonly waitsMs: number[] = [];
  readonly calls: SystemCalls;
  /** Calls of write(2). */
  writes = 0;
  readonly #due: { atMs: number; act: () => void }[] = [];

  constructor() {
    const wait: SystemCalls["epoll_wait"] = (epfd, words, max, timeoutMs) => {
      this.waitsMs.push(timeoutMs);
      const endMs = timeoutMs < 0 ? Infinity : this.nowMs + timeoutMs;
      for (;;) {
        this.#act();
        const count = systemCalls.epoll_wait(epfd, words, max, 0);
        if (count !== 0 || this.nowMs >= endMs) {
          if (timeoutMs === 0) this.nowMs += LOOK_MS;
          return count;
        }
        const next = this.#due.at(0)?.atMs ?? Infinity;
        assert(
          next !== Infinity || endMs !== Infinity,
          "nothing would ever end this wait",
        );
        this.nowMs = Math.min(next, endMs);
      }
    };
    this.calls = {
      ...systemCalls,
      now: () => this.nowMs,
      epoll_wait: wait,
      epoll_pwait2: wait,
      write: (fd, bytes) => {
        this.writes++;
        return systemCalls.write(fd, bytes);
      },
    };
  }

  /** Has something happen in so many milliseconds. */
  in(ms: number, act: () => void): void {
    this.#due.push({ atMs: this.nowMs + ms, act });
  }

  /** The waits since the last call, as blocking or not. */
  take(): string {
    const text = this.waitsMs.map((ms) => ms === 0 ? "look" : "wait").join(" ");
    this.waitsMs.length = 0;
    return text;
  }

  #act(): void {
    while (this.#due.length > 0 && this.#due[0].atMs <= this.nowMs) {
      this.#due.shift()?.act();
    }
  }
}

/** An engine, and a way to have an event in so many milliseconds. */
function spinning(spinUs = 0) {
  const script = new Script();
  const engine = new Engine({ spinUs }, script.calls);
  const inbox = engine.inbox({}, () => {});
  const outbox = new Outbox(inbox.address, script.calls);
  return {
    engine,
    script,
    outbox,
    /** One wait, ended by an event `ms` from now. */
    waitFor(ms: number): string {
      script.in(ms, () => outbox.post(new Uint8Array(1)));
      script.take();
      while (engine.turn(-1) === 0);
      return script.take();
    },
    [Symbol.dispose]() {
      outbox.close();
      engine.close();
    },
  };
}

test("without spinUs a wait is one system call", () => {
  using it = spinning();
  for (let round = 0; round < 5; round++) {
    assertEquals(it.waitFor(0.005), "wait");
  }
});

test("with spinUs a wait that ends soon is preceded by looks, and then replaced by them", () => {
  using it = spinning(50);
  assertEquals(it.waitFor(0.03), "wait");
  // For 10 µs first, then for twice as long, until the event is met.
  for (const looksMin of [10, 20]) {
    const waits = it.waitFor(0.03).split(" ");
    assertEquals(waits.indexOf("wait"), waits.length - 1);
    assert(waits.length > looksMin && waits.length <= looksMin + 2);
  }
  const looks = it.waitFor(0.03);
  assert(/^(look ?)+$/.test(looks), looks);
});

test("spinning never takes longer than spinUs", () => {
  using it = spinning(25);
  for (let round = 0; round < 5; round++) it.waitFor(0.024);
  const looks = it.waitFor(0.06).split(" ");
  assertEquals(looks.pop(), "wait");
  assert(looks.length >= 20 && looks.length <= 26, String(looks.length));
});

test("after a wait longer than spinUs the next one is not preceded by looks", () => {
  using it = spinning(50);
  for (let round = 0; round < 4; round++) it.waitFor(0.03);
  assert(it.waitFor(5).includes("look"));
  assertEquals(it.waitFor(5), "wait");
  assertEquals(it.waitFor(5), "wait");
});

test("what is posted to an engine that looks needs no system call", () => {
  using it = spinning(50);
  for (let round = 0; round < 4; round++) it.waitFor(0.03);
  it.script.writes = 0;
  assert(!it.waitFor(0.03).includes("wait"));
  assertEquals(it.script.writes, 0);
  assertEquals(it.waitFor(5).endsWith("wait"), true);
  assertEquals(it.script.writes, 1);
});

test("a timer that is due while the engine looks fires on time", () => {
  using it = spinning(50);
  for (let round = 0; round < 4; round++) it.waitFor(0.03);
  const { nowMs } = it.script;
  let firedMs = 0;
  it.engine.timer(0.02, () => firedMs = it.script.nowMs);
  while (firedMs === 0) it.engine.turn(-1);
  assert(firedMs - nowMs >= 0.02 && firedMs - nowMs < 0.03, `${firedMs}`);
});

test("a timeout shorter than spinUs ends the looks, and a longer one holds in all", () => {
  using it = spinning(50);
  for (let round = 0; round < 4; round++) it.waitFor(0.03);
  for (const timeoutMs of [0.01, 2]) {
    const { nowMs } = it.script;
    assertEquals(it.engine.poll(timeoutMs), 0);
    const tookMs = it.script.nowMs - nowMs;
    assert(Math.abs(tookMs - timeoutMs) < 3 * LOOK_MS, `${tookMs}`);
  }
});

test("a stop while the engine looks ends run()", () => {
  using it = spinning(50);
  for (let round = 0; round < 4; round++) it.waitFor(0.03);
  it.script.in(0.01, () => it.outbox.stop());
  it.engine.run();
});
