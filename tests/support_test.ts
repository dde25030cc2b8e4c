/** The test helpers themselves: what they would miss, every test misses. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  close,
  epoll_create1,
  epoll_ctl,
  EPOLL_CTL_ADD,
  EpollEvents,
  EPOLLIN,
  eventfd,
  systemCalls,
} from "../ffi/mod.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { assertNoLeaks, test } from "./support/descriptors.ts";
import { epollEntry, parseFdinfo } from "./support/fdinfo.ts";
import { Program, runDeno } from "./support/process.ts";
import { codeOf, importsOf } from "./support/source_files.ts";
import { parseTrace, straceTest, trace } from "./support/strace.ts";

const CHILD = "tests/support/child.ts";

test("assertNoLeaks() names the descriptor left open and what it points at", async () => {
  let file: Deno.FsFile | undefined;
  const error = await assertRejects(
    () =>
      assertNoLeaks(() => {
        file = Deno.openSync("deno.json");
      }, 50),
    Error,
  );
  file?.close();
  assertMatch(error.message, /left open: \d+ → .*deno\.json/);
});

test("assertNoLeaks() names a descriptor of others that was closed", async () => {
  const file = Deno.openSync("deno.json");
  const error = await assertRejects(
    () => assertNoLeaks(() => file.close(), 50),
    Error,
  );
  assertMatch(error.message, /closed: \d+ → .*deno\.json/);
});

test("parseFdinfo() reads the hexadecimal masks and data", () => {
  const text = "pos:\t0\nflags:\t02\n" +
    "tfd:        9 events: 80002019 data: ffffffff00000007  pos:0 ino:1 sdev:8\n" +
    "tfd:        7 events:       19 data:                a  pos:0 ino:2 sdev:8\n";
  assertEquals(parseFdinfo(text), [
    { fd: 7, mask: 0x19, data: 10n },
    { fd: 9, mask: 0x80002019 | 0, data: 0xffffffff00000007n },
  ]);
});

test("epollEntry() finds what the kernel has, and nothing for other descriptors", () => {
  const epfd = epoll_create1(0);
  const fd = eventfd(0, 0);
  const events = new EpollEvents(1);
  events.set(0, EPOLLIN, 7, -1);
  epoll_ctl(epfd, EPOLL_CTL_ADD, fd, events.words);
  const entry = epollEntry(epfd, fd);
  const other = epollEntry(epfd, epfd);
  close(fd);
  close(epfd);
  assertEquals(entry, { fd, mask: 0x19, data: 0xffffffff00000007n });
  assertEquals(other, undefined);
});

test("CountingCalls passes calls on, and notes them with copies of their arrays", () => {
  const counting = new CountingCalls(systemCalls);
  const { calls } = counting;
  const fd = calls.eventfd(3, 0);
  const buffer = new Uint8Array(8);
  calls.read(fd, buffer);
  buffer.fill(9);
  calls.close(fd);
  calls.now();
  assertEquals(counting.log, [
    { name: "eventfd", args: [3, 0], result: fd },
    { name: "read", args: [fd, new Uint8Array(8)], result: 8 },
    { name: "close", args: [fd], result: 0 },
  ]);
  assertEquals(counting.count("read", fd), 1);
  assertEquals(counting.count("read", fd + 1), 0);
});

test("parseTrace() joins a call that another thread interrupted", () => {
  const text = [
    "11 epoll_wait(5,  <unfinished ...>",
    "12 epoll_ctl(5, EPOLL_CTL_DEL, 7, NULL) = -1 ENOENT (No such file)",
    "11 <... epoll_wait resumed>[], 512, 10) = 0",
    "11 +++ exited with 0 +++",
  ].join("\n");
  assertEquals(
    parseTrace(text).map(({ thread, name, fd, result, error }) => [
      thread,
      name,
      fd,
      result,
      error,
    ]),
    [[12, "epoll_ctl", 5, -1, "ENOENT"], [11, "epoll_wait", 5, 0, ""]],
  );
});

straceTest("trace() sees the calls of a child", async () => {
  const { calls, stdout } = await trace(CHILD, ["openat"]);
  assertEquals(stdout, "ready\n");
  const opened = calls.filter(({ args }) => args.includes('"deno.json"'));
  assertEquals(opened.length, 1);
});

test("Program.waitFor() tells what was printed by a program that ended", async () => {
  await using program = Program.deno(CHILD);
  const error = await assertRejects(() => program.waitFor(/never/), Error);
  assertMatch(error.message, /never printed[^]*stdout: ready/);
});

test("a Program that waits for ever is ended by the signal asked for", async () => {
  await using program = Program.deno(CHILD, { args: ["wait"] });
  await program.waitFor(/ready/);
  const { signal } = await program.end("SIGTERM");
  assertEquals(signal, "SIGTERM");
});

test("leaving the scope of a Program ends and reaps it", async () => {
  let pid = 0;
  {
    await using program = Program.deno(CHILD, { args: ["wait"] });
    await program.waitFor(/ready/);
    pid = program.pid;
  }
  await assertRejects(() => Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
});

test("runDeno() gives the status and both outputs", async () => {
  const result = await runDeno(CHILD, { args: ["fail"] });
  assertEquals(result, {
    code: 3,
    signal: null,
    stdout: "ready\n",
    stderr: "failed\n",
  });
});

test("importsOf() finds each form, and none in comments", () => {
  const text = `
    // import "comment";
    /* export * from "comment" */
    import "./effect.ts";
    import type { A } from "./type.ts";
    import {
      b,
      type C,
    } from './several.ts';
    export * from "./all.ts";
    export { d } from "./some.ts";
    const from = "text";
    await import("./late.ts");
  `;
  assertEquals(
    importsOf(text).map(({ specifier, typesOnly }) => [specifier, typesOnly]),
    [
      ["./effect.ts", false],
      ["./type.ts", true],
      ["./several.ts", false],
      ["./all.ts", false],
      ["./some.ts", false],
      ["./late.ts", false],
    ],
  );
});

test("codeOf() blanks comments, and strings where asked", () => {
  const text = "a(\"Deno // b\"); // Deno's\n/* Deno */ c('Bun', `Bun`);";
  assertEquals(codeOf(text, "keep").includes("Deno // b"), true);
  assertEquals(/Deno|Bun/.test(codeOf(text, "blank")), false);
});
