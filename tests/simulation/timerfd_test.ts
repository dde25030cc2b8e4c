/** timerfd, on the kernel and on the simulated one. */
import { assert, assertEquals } from "@std/assert";
import {
  check,
  CLOCK_MONOTONIC,
  EAGAIN,
  EINVAL,
  EPOLLET,
  EPOLLIN,
  setTimespec,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
} from "../../ffi/mod.ts";
import { RawEpoll } from "../conformance/raw_epoll.ts";
import { Ends } from "./ends.ts";
import { type World, worldTest } from "./world.ts";

const PATIENCE_MS = 20_000;
const INTERVAL = 0;
const VALUE = 4;

/** A test with a timer in an edge-triggered entry. */
function timerTest(
  name: string,
  run: (timer: number, epoll: RawEpoll, world: World) => void,
): void {
  worldTest(name, (world) => {
    using ends = new Ends(world.calls);
    using epoll = new RawEpoll(8, world.calls);
    const flags = TFD_NONBLOCK | TFD_CLOEXEC;
    const made = world.calls.timerfd_create(CLOCK_MONOTONIC, flags);
    const timer = ends.own(check(made, "timerfd_create"));
    epoll.add(timer, EPOLLIN | EPOLLET);
    run(timer, epoll, world);
  });
}

/** A `struct itimerspec`. */
function times(valueMs: number, intervalMs = 0): Int32Array<ArrayBuffer> {
  const words = new Int32Array(8);
  setTimespec(words, VALUE, valueMs);
  setTimespec(words, INTERVAL, intervalMs);
  return words;
}

/** The expirations, or the negative errno. */
function take(world: World, timer: number): number {
  const count = new BigUint64Array(1);
  const result = world.calls.read(timer, new Uint8Array(count.buffer));
  return result < 0 ? result : Number(count[0]);
}

timerTest(
  "a timer that nobody reads tells of one expiration, and the read gives the rest",
  (timer, epoll, world) => {
    const startMs = world.calls.now();
    world.calls.timerfd_settime(timer, 0, times(20, 20));
    assertEquals(epoll.wait(PATIENCE_MS), [[timer, "IN"]]);
    world.elapse(50);
    assertEquals(epoll.wait(), []);
    const passed = Math.floor((world.calls.now() - startMs) / 20);
    const count = take(world, timer);
    assert(count >= Math.min(3, passed), `${count} of ${passed}`);
    assertEquals(epoll.wait(PATIENCE_MS), [[timer, "IN"]]);
    assert(take(world, timer) >= 1);
  },
);

timerTest(
  "setting a timer again forgets what has expired",
  (timer, epoll, world) => {
    world.calls.timerfd_settime(timer, 0, times(1));
    assertEquals(epoll.wait(PATIENCE_MS), [[timer, "IN"]]);
    world.calls.timerfd_settime(timer, 0, times(3_600_000));
    assertEquals(take(world, timer), -EAGAIN);
    world.calls.timerfd_settime(timer, 0, times(0));
    assertEquals(take(world, timer), -EAGAIN);
  },
);

timerTest(
  "a timer that is set to a time that is past expires at once",
  (timer, epoll, world) => {
    world.calls.timerfd_settime(timer, TFD_TIMER_ABSTIME, times(1));
    assertEquals(epoll.wait(PATIENCE_MS), [[timer, "IN"]]);
    assertEquals(take(world, timer), 1);
  },
);

timerTest(
  "a timer can't be set to a thousand million nanoseconds, nor to less than none",
  (timer, _epoll, world) => {
    for (const nanoseconds of [1e9, -1]) {
      const words = new Int32Array(8);
      words[VALUE + 2] = nanoseconds;
      words[VALUE + 3] = nanoseconds < 0 ? -1 : 0;
      assertEquals(world.calls.timerfd_settime(timer, 0, words), -EINVAL);
    }
  },
);
