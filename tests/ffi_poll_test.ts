/** Polls through the raw layer, on this thread and on another. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
} from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";

const one = new Uint8Array(new BigUint64Array([1n]).buffer);

test("poll() tells the events of each descriptor", () => {
  const fds = [c.eventfd(0), c.eventfd(1)];
  const polled = new Int32Array([
    ...[fds[0], c.POLLIN | c.POLLOUT],
    ...[fds[1], c.POLLIN],
    ...[2 ** 30, c.POLLIN],
  ]);
  assertEquals(c.poll(polled, 3, -1), 3);
  const came = [1, 3, 5].map((word) => polled[word] >> 16);
  assertEquals(came, [c.POLLOUT, c.POLLIN, c.POLLNVAL]);
  assertEquals(c.poll(polled, 0, 0), 0);
  fds.forEach(c.close);
});

test("waitReadable() resolves at once for what is readable, and consumes nothing", async () => {
  const epfd = c.epoll_create1(c.EPOLL_CLOEXEC);
  const fd = c.eventfd(1, c.EFD_CLOEXEC);
  const events = new c.EpollEvents(1);
  events.set(0, c.EPOLLIN | c.EPOLLET, 3, 4);
  c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, events.words);
  await c.waitReadable(epfd);
  await c.waitReadable(epfd, 0);
  assertEquals(c.epoll_wait(epfd, events.words, 1, 0), 1);
  assertEquals(events.slot(0), 3);
  c.close(fd);
  c.close(epfd);
});

test("waitReadable() resolves once the descriptor becomes readable", async () => {
  const fd = c.eventfd(0, c.EFD_CLOEXEC);
  let resolved = false;
  const waiting = c.waitReadable(fd).then(() => resolved = true);
  await c.waitReadable(fd, 20);
  assertEquals(resolved, false);
  c.write(fd, one);
  await waiting;
  c.close(fd);
});

test("waitReadable() resolves when its time is over, never early", async () => {
  const fd = c.eventfd(0, c.EFD_CLOEXEC);
  for (const timeoutMs of [0, 0.25, 3.5]) {
    const start = c.now();
    await c.waitReadable(fd, timeoutMs);
    assertGreaterOrEqual(c.now() - start, timeoutMs);
  }
  c.close(fd);
});

test("waitReadable() resolves for what is no descriptor", async () => {
  const start = c.now();
  await c.waitReadable(2 ** 30, 60_000);
  assert(c.now() - start < 60_000);
});

test("waitReadable() rejects what would not arrive as it is", async () => {
  await assertRejects(() => c.waitReadable(0.5), TypeError);
});

test("waitReadable() goes on after a signal interrupted it", async () => {
  const result = await runDeno("tests/ffi_child.ts", {
    args: ["wait-readable"],
  });
  assertEquals(result.stderr, "");
  assertEquals(result.stdout, "signals seen, waited the whole time\n");
});
