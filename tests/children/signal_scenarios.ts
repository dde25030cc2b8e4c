/**
 * What signals do inside one program, by the names of its tests. The threads of
 * the program block USR1, USR2, CHLD, RTMIN and RTMIN+1 when it starts.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import {
  check,
  EMFILE,
  ENOSPC,
  kill,
  pthread_sigmask,
  SIG_BLOCK,
  SIG_UNBLOCK,
  sigismember,
  signalfd,
  sigqueue,
  SIGRTMIN,
  sigset,
  SIGUSR1,
  SIGUSR2,
  systemCalls,
} from "../../ffi/mod.ts";
import { Engine, type SignalInfo, SystemError } from "../../mod.ts";
import { CountingCalls } from "../support/counting_calls.ts";
import { openDescriptors } from "../support/descriptors.ts";
import { refusingToWatch, replacing } from "../support/faulty_calls.ts";

/** What the program blocks from its start. */
export const BLOCKED = ["USR1", "USR2", "CHLD", "RTMIN", "RTMIN+1"];

/** Each returns once it has held. */
export const scenarios: Record<string, () => void | Promise<void>> = {
  "several watches of one signal all get it, and dropping one leaves the rest"() {
    using engine = new Engine();
    const got: string[] = [];
    engine.signal("SIGUSR1", () => got.push("first"));
    const second = engine.signal("SIGUSR1", () => got.push("second"));
    engine.signal("SIGUSR2", () => got.push("other"));
    sendSelf(SIGUSR1);
    engine.turn(0);
    assert.deepEqual(got, ["first", "second"]);
    second.close();
    second.close();
    assert.equal(second.closed, true);
    sendSelf(SIGUSR1);
    sendSelf(SIGUSR2);
    engine.turn(0);
    assert.deepEqual(got, ["first", "second", "first", "other"]);
  },

  "a watch that an earlier handler closes gets nothing of the same batch"() {
    using engine = new Engine();
    const got: string[] = [];
    engine.signal("SIGUSR1", () => {
      got.push("first");
      second.close();
    });
    const second = engine.signal("SIGUSR1", () => got.push("second"));
    sendSelf(SIGUSR1);
    engine.turn(0);
    assert.deepEqual(got, ["first"]);
  },

  "a handler that throws keeps no other signal of the batch from its handler"() {
    const errors: unknown[] = [];
    using engine = new Engine({
      onError: (error, source) => errors.push(error, source),
    });
    const got: string[] = [];
    const watch = engine.signal("SIGUSR1", () => {
      throw new Error("thrown");
    });
    engine.signal("SIGUSR1", ({ name }) => got.push(name));
    engine.signal("SIGUSR2", ({ name }) => got.push(name));
    sendSelf(SIGUSR1);
    sendSelf(SIGUSR2);
    engine.turn(0);
    assert.deepEqual(errors.map(String), ["Error: thrown", String(watch)]);
    assert.equal(errors[1], watch);
    assert.deepEqual(got, ["SIGUSR1", "SIGUSR2"]);
  },

  "without onError what a handler throws comes out of turn(), and the rest waits"() {
    using engine = new Engine();
    const got: number[] = [];
    engine.signal("SIGRTMIN", ({ value }) => {
      if (value === 1) throw new Error("thrown");
      got.push(value);
    });
    for (const value of [1, 2, 3]) sendSelfValue(SIGRTMIN, value);
    assert.throws(() => engine.turn(0), /thrown/);
    engine.turn(0);
    assert.deepEqual(got, [2, 3]);
  },

  "more signals than one read takes all arrive, in order"() {
    const counting = new CountingCalls(systemCalls);
    using engine = new Engine({ trigger: "level" }, counting.calls);
    const got: number[] = [];
    engine.signal("SIGRTMIN", ({ value }) => got.push(value));
    counting.reset();
    const sent = Array.from({ length: 100 }, (_, index) => index - 50);
    for (const value of sent) sendSelfValue(SIGRTMIN, value);
    while (got.length < sent.length) assert(engine.turn(0) > 0);
    assert.deepEqual(got, sent);
    assert.equal(engine.turn(0), 0);
    // 16 of them each.
    assert.equal(counting.count("read"), 7);
  },

  "signals that were never told are told once the kernel can watch for them"() {
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    using engine = new Engine({ onError }, refusingToWatch(ENOSPC, 2));
    let told = false;
    engine.signal("SIGUSR1", () => told = true);
    sendSelf(SIGUSR1);
    while (!told) engine.turn();
    assert.deepEqual(errors.map((error) => (error as SystemError).code), [
      "ENOSPC",
    ]);
  },

  "all signals of an engine come through one descriptor"() {
    using engine = new Engine();
    const signalfds = () =>
      [...openDescriptors().values()]
        .filter((target) => target === "anon_inode:[signalfd]").length;
    const names = ["SIGUSR1", "SIGUSR2", "SIGRTMIN"] as const;
    const watches = names.map((name) => engine.signal(name, () => {}));
    assert.equal(signalfds(), 1);
    for (const watch of watches) watch.close();
    assert.equal(signalfds(), 0);
    engine.signal("SIGUSR1", () => {});
    assert.equal(signalfds(), 1);
  },

  "a handler may close the engine"() {
    const engine = new Engine();
    let calls = 0;
    for (const name of ["SIGUSR1", "SIGUSR2"] as const) {
      engine.signal(name, () => {
        calls++;
        engine.close();
      });
    }
    sendSelf(SIGUSR1);
    sendSelf(SIGUSR2);
    engine.run();
    assert.equal(calls, 1);
    assert.throws(
      () => engine.signal("SIGUSR1", () => {}),
      (error) => error instanceof SystemError && error.code === "EBADF",
    );
  },

  "what arrives while nobody watches waits for the next watch"() {
    using engine = new Engine();
    engine.signal("SIGUSR1", () => {}).close();
    sendSelf(SIGUSR1);
    const got: SignalInfo[] = [];
    engine.signal("SIGUSR1", (info) => got.push(info));
    engine.turn(0);
    assert.deepEqual(got.map(({ pid }) => pid), [process.pid]);
  },

  "SIGCHLD tells which child has ended, and how"() {
    using engine = new Engine();
    const got: SignalInfo[] = [];
    const child = spawn("sh", ["-c", "exit 5"]);
    const watch = engine.signal("SIGCHLD", (info) => {
      got.push(info);
      engine.stop();
    });
    engine.run();
    watch.close();
    assert.deepEqual(
      got.map(({ name, code, pid, status }) => ({ name, code, pid, status })),
      [{ name: "SIGCHLD", code: 1, pid: child.pid, status: 5 }],
    );
    return new Promise((resolve) => child.on("close", () => resolve()));
  },

  "a mask that was set by the watch is restored by the last close()"() {
    setOwnMask(SIG_UNBLOCK, SIGUSR1);
    using engine = new Engine();
    using other = new Engine();
    const first = engine.signal("SIGUSR1", () => {});
    const second = engine.signal("SIGUSR1", () => {});
    const third = other.signal("SIGUSR1", () => {});
    const beside = engine.signal("SIGUSR2", () => {});
    assert.equal(blocks(SIGUSR1), true);
    const blocked = [first, second, third, beside].map((watch) => {
      watch.close();
      return [blocks(SIGUSR1), blocks(SIGUSR2)];
    });
    assert.deepEqual(blocked, [
      [true, true],
      [true, true],
      [false, true],
      // Inherited: not the engine's to take away.
      [false, true],
    ]);
    setOwnMask(SIG_BLOCK, SIGUSR1);
  },

  "closing the engine restores the mask too"() {
    setOwnMask(SIG_UNBLOCK, SIGUSR1);
    const engine = new Engine();
    engine.signal("SIGUSR1", () => {});
    engine.close();
    assert.equal(blocks(SIGUSR1), false);
    setOwnMask(SIG_BLOCK, SIGUSR1);
  },

  "a signalfd that is refused leaves mask and other watches as they were"() {
    setOwnMask(SIG_UNBLOCK, SIGUSR1);
    let refused = true;
    const calls = replacing({
      signalfd: (...args) => refused ? -EMFILE : signalfd(...args),
    });
    using engine = new Engine({}, calls);
    const got: string[] = [];
    const watch = (name: "SIGUSR1" | "SIGUSR2") =>
      engine.signal(name, (info) => got.push(info.name));
    const isEmfile = (error: unknown) =>
      error instanceof SystemError && error.code === "EMFILE";
    assert.throws(() => watch("SIGUSR1"), isEmfile);
    assert.equal(blocks(SIGUSR1), false);
    refused = false;
    watch("SIGUSR2");
    refused = true;
    assert.throws(() => watch("SIGUSR1"), isEmfile);
    assert.equal(blocks(SIGUSR1), false);
    sendSelf(SIGUSR2);
    engine.turn(0);
    assert.deepEqual(got, ["SIGUSR2"]);
    setOwnMask(SIG_BLOCK, SIGUSR1);
  },

  "a signal that waits when its mask is restored does not end the process"() {
    setOwnMask(SIG_UNBLOCK, SIGUSR1);
    using engine = new Engine();
    const got: string[] = [];
    engine.signal("SIGUSR2", ({ name }) => got.push(name));
    const watch = engine.signal("SIGUSR1", ({ name }) => got.push(name));
    sendSelf(SIGUSR2);
    sendSelf(SIGUSR1);
    watch.close();
    engine.turn(0);
    assert.deepEqual(got, ["SIGUSR2"]);
    setOwnMask(SIG_BLOCK, SIGUSR1);
  },
};

function sendSelf(number: number): void {
  check(kill(process.pid, number), "kill");
}

function sendSelfValue(number: number, value: number): void {
  check(sigqueue(process.pid, number, value), "sigqueue");
}

function setOwnMask(how: number, number: number): void {
  check(pthread_sigmask(how, sigset([number])), "pthread_sigmask");
}

function blocks(number: number): boolean {
  const mask = sigset();
  check(pthread_sigmask(SIG_BLOCK, null, mask), "pthread_sigmask");
  return sigismember(mask, number);
}

if (import.meta.main) {
  const before = [...openDescriptors().keys()];
  await scenarios[Deno.args[0] as string]?.();
  const after = [...openDescriptors().keys()];
  assert.deepEqual(after, before, "descriptors");
  console.log("held");
}
