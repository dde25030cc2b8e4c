/** Clocks and timers through the raw layer, on the real kernel. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";

const expirationsOf = new BigUint64Array(1);
const expirationBytes = new Uint8Array(expirationsOf.buffer);

/** A nonblocking timer, closed after use. */
function withTimer(use: (fd: number) => void): void {
  const fd = c.check(
    c.timerfd_create(c.CLOCK_MONOTONIC, c.TFD_NONBLOCK | c.TFD_CLOEXEC),
    "timerfd_create",
  );
  try {
    use(fd);
  } finally {
    c.close(fd);
  }
}

/** struct itimerspec, in milliseconds. */
function spec(valueMs: number, intervalMs = 0): Int32Array {
  const words = new Int32Array(8);
  c.setTimespec(words, c.itimerspec.it_interval >> 2, intervalMs);
  c.setTimespec(words, c.itimerspec.it_value >> 2, valueMs);
  return words;
}

function expirations(fd: number): bigint | number {
  const count = c.read(fd, expirationBytes);
  return count < 0 ? count : expirationsOf[0];
}

function waitFor(fd: number): void {
  assertEquals(c.poll(new Int32Array([fd, c.POLLIN]), 1, 10_000), 1);
}

test("a timespec holds any time to the nanosecond, rounded up", () => {
  const words = new Int32Array(4);
  const times: [number, number[]][] = [
    [0, [0, 0, 0, 0]],
    [0.0000001, [0, 0, 1, 0]],
    [0.000001, [0, 0, 1, 0]],
    [0.1, [0, 0, 100_000, 0]],
    [999.9999999, [1, 0, 0, 0]],
    [1000, [1, 0, 0, 0]],
    [1500.25, [1, 0, 500_250_000, 0]],
    [2 ** 31 * 1000, [-(2 ** 31), 0, 0, 0]],
    [2 ** 32 * 1000, [0, 1, 0, 0]],
  ];
  for (const [milliseconds, expected] of times) {
    words.fill(-1);
    c.setTimespec(words, 0, milliseconds);
    assertEquals(Array.from(words), expected);
    const back = c.getTimespec(words, 0);
    assert(back >= milliseconds && back - milliseconds <= 1e-6);
  }
});

test("now() is the monotonic clock in milliseconds", () => {
  const time = new Int32Array(4);
  for (let round = 0; round < 1_000; round++) {
    const before = c.now();
    assertEquals(c.clock_gettime(c.CLOCK_MONOTONIC, time), 0);
    const between = c.getTimespec(time, 0);
    const after = c.now();
    assert(before <= between && between <= after);
  }
});

test("clock_gettime() returns the kernel's error", () => {
  assertEquals(c.clock_gettime(9999, new Int32Array(4)), -c.EINVAL);
  const time = new Int32Array(4);
  assertEquals(c.clock_gettime(c.CLOCK_REALTIME, time), 0);
  assert(Math.abs(c.getTimespec(time, 0) - Date.now()) < 60_000);
});

test("a timer fires once, never early, and can be read once", () => {
  withTimer((fd) => {
    const start = c.now();
    assertEquals(c.timerfd_settime(fd, 0, spec(2.5)), 0);
    assertEquals(expirations(fd), -c.EAGAIN);
    waitFor(fd);
    assertGreaterOrEqual(c.now() - start, 2.5);
    assertEquals(expirations(fd), 1n);
    assertEquals(expirations(fd), -c.EAGAIN);
  });
});

test("a periodic timer counts the periods that were missed", () => {
  withTimer((fd) => {
    c.timerfd_settime(fd, 0, spec(1, 1));
    const start = c.now();
    while (c.now() - start < 5) waitFor(fd);
    const count = expirations(fd);
    assert(typeof count === "bigint" && count >= 5n);
  });
});

test("timerfd_gettime() and timerfd_settime() tell what was set", () => {
  withTimer((fd) => {
    c.timerfd_settime(fd, 0, spec(60_000, 7));
    const current = new Int32Array(8);
    assertEquals(c.timerfd_gettime(fd, current), 0);
    const old = new Int32Array(8);
    assertEquals(c.timerfd_settime(fd, 0, spec(0), old), 0);
    for (const words of [current, old]) {
      assertEquals(c.getTimespec(words, 0), 7);
      const left = c.getTimespec(words, 4);
      assert(left > 0 && left <= 60_000);
    }
    c.timerfd_gettime(fd, current);
    assertEquals(c.getTimespec(current, 4), 0);
  });
});

test("a time that has passed fires at once", () => {
  withTimer((fd) => {
    c.timerfd_settime(fd, c.TFD_TIMER_ABSTIME, spec(1));
    waitFor(fd);
    assertEquals(expirations(fd), 1n);
  });
});

test("an edge-triggered timer that is not read gives one event", () => {
  withTimer((fd) => {
    const epfd = c.check(c.epoll_create1(c.EPOLL_CLOEXEC), "epoll_create1");
    const events = new c.EpollEvents(1);
    events.set(0, c.EPOLLIN | c.EPOLLET, 0, 0);
    c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, events.words);
    c.timerfd_settime(fd, 0, spec(1, 1));
    assertEquals(c.epoll_wait(epfd, events.words, 1, 10_000), 1);
    assertEquals(c.epoll_wait(epfd, events.words, 1, 5), 0);
    assert(expirations(fd) >= 5n);
    assertEquals(c.epoll_wait(epfd, events.words, 1, 10_000), 1);
    c.close(epfd);
  });
});

test("timers return the kernel's error for each misuse", () => {
  assertEquals(c.timerfd_create(9999), -c.EINVAL);
  assertEquals(c.timerfd_create(c.CLOCK_MONOTONIC, 1), -c.EINVAL);
  assertEquals(c.timerfd_settime(-1, 0, spec(1)), -c.EBADF);
  assertEquals(c.timerfd_gettime(-1, spec(1)), -c.EBADF);
  const fd = c.eventfd();
  assertEquals(c.timerfd_settime(fd, 0, spec(1)), -c.EINVAL);
  assertEquals(c.timerfd_gettime(fd, spec(1)), -c.EINVAL);
  c.close(fd);
  withTimer((timer) => {
    for (const nanoseconds of [1e9, -1]) {
      const value = new Int32Array(8);
      value[6] = nanoseconds;
      value[7] = Math.sign(nanoseconds) < 0 ? -1 : 0;
      assertEquals(c.timerfd_settime(timer, 0, value), -c.EINVAL);
    }
  });
});

test("no call writes past the end of the memory given", () => {
  const short = new Int32Array(7);
  for (
    const call of [
      () => c.timerfd_settime(-1, 0, short),
      () => c.timerfd_settime(-1, 0, spec(1), short),
      () => c.timerfd_gettime(-1, short),
      () => c.clock_gettime(c.CLOCK_MONOTONIC, short.subarray(0, 3)),
    ]
  ) assertThrows(call, RangeError, "takes");
});
