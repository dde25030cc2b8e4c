/** epoll(7) through the raw layer, on the real kernel. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { epollEntries } from "./support/fdinfo.ts";

/** Closes what `use` was given, whatever happens. */
function withEpoll(use: (epfd: number) => void): void {
  const epfd = c.check(c.epoll_create1(c.EPOLL_CLOEXEC), "epoll_create1");
  try {
    use(epfd);
  } finally {
    c.close(epfd);
  }
}

function withCounter(initval: number, use: (fd: number) => void): void {
  const fd = c.check(
    c.eventfd(initval, c.EFD_CLOEXEC | c.EFD_NONBLOCK),
    "eventfd",
  );
  try {
    use(fd);
  } finally {
    c.close(fd);
  }
}

/** One event for epoll_ctl. */
function event(mask: number, slot = 0, generation = 0): Int32Array {
  const events = new c.EpollEvents(1);
  events.set(0, mask, slot, generation);
  return events.words;
}

/** The masks of what is ready now. */
function ready(epfd: number): number[] {
  const events = new c.EpollEvents(8);
  const count = c.epoll_wait(epfd, events.words, 8, 0);
  return Array.from({ length: count }, (_, index) => events.mask(index));
}

const counterOf = new BigUint64Array(1);
const counterBytes = new Uint8Array(counterOf.buffer);

function add(fd: number, value: bigint): number {
  counterOf[0] = value;
  return c.write(fd, counterBytes);
}

test("epoll_create1() makes a close-on-exec descriptor if asked to", () => {
  withEpoll((epfd) => {
    assertEquals(c.fcntl(epfd, c.F_GETFD), c.FD_CLOEXEC);
  });
  assertEquals(c.epoll_create1(1), -c.EINVAL);
});

test("epoll_ctl() returns the kernel's error for each misuse", () => {
  withEpoll((epfd) =>
    withCounter(0, (fd) => {
      const input = event(c.EPOLLIN);
      const control = (op: number, of: number) =>
        c.epoll_ctl(epfd, op, of, input);
      assertEquals(control(c.EPOLL_CTL_MOD, fd), -c.ENOENT);
      assertEquals(control(c.EPOLL_CTL_DEL, fd), -c.ENOENT);
      assertEquals(control(c.EPOLL_CTL_ADD, fd), 0);
      assertEquals(control(c.EPOLL_CTL_ADD, fd), -c.EEXIST);
      assertEquals(control(c.EPOLL_CTL_ADD, -1), -c.EBADF);
      assertEquals(control(c.EPOLL_CTL_ADD, epfd), -c.EINVAL);
      assertEquals(control(99, fd), -c.EINVAL);
      assertEquals(c.epoll_ctl(-1, c.EPOLL_CTL_ADD, fd, input), -c.EBADF);
      assertEquals(c.epoll_ctl(fd, c.EPOLL_CTL_ADD, epfd, input), -c.EINVAL);
      assertEquals(
        c.epoll_ctl(epfd, c.EPOLL_CTL_MOD, fd, null),
        -c.EFAULT,
      );
      assertEquals(epollEntries(epfd).map((entry) => entry.fd), [fd]);
      assertEquals(c.epoll_ctl(epfd, c.EPOLL_CTL_DEL, fd, null), 0);
      assertEquals(epollEntries(epfd), []);
    })
  );
});

test("epoll_ctl() refuses files and directories with EPERM", () => {
  withEpoll((epfd) => {
    for (const path of ["deno.json", ".", "/dev/null"]) {
      const fd = c.check(c.open(path, c.O_RDONLY | c.O_CLOEXEC), "open");
      const result = c.epoll_ctl(
        epfd,
        c.EPOLL_CTL_ADD,
        fd,
        event(c.EPOLLIN),
      );
      c.close(fd);
      assertEquals([path, result], [path, -c.EPERM]);
    }
  });
});

test("epoll_ctl() refuses a cycle with ELOOP", () => {
  withEpoll((outer) =>
    withEpoll((inner) => {
      const input = event(c.EPOLLIN);
      assertEquals(c.epoll_ctl(outer, c.EPOLL_CTL_ADD, inner, input), 0);
      assertEquals(
        c.epoll_ctl(inner, c.EPOLL_CTL_ADD, outer, input),
        -c.ELOOP,
      );
    })
  );
});

test("epoll_ctl() refuses to change an exclusive entry with EINVAL", () => {
  withEpoll((epfd) =>
    withCounter(0, (fd) => {
      const exclusive = c.EPOLLIN | c.EPOLLEXCLUSIVE;
      const control = (op: number, mask: number) =>
        c.epoll_ctl(epfd, op, fd, event(mask));
      for (const mask of [c.EPOLLONESHOT, c.EPOLLRDHUP, c.EPOLLPRI]) {
        assertEquals(control(c.EPOLL_CTL_ADD, exclusive | mask), -c.EINVAL);
      }
      assertEquals(control(c.EPOLL_CTL_ADD, exclusive), 0);
      assertEquals(control(c.EPOLL_CTL_MOD, c.EPOLLIN), -c.EINVAL);
    })
  );
});

test("epoll_wait() returns the kernel's error for each misuse", () => {
  withEpoll((epfd) =>
    withCounter(0, (fd) => {
      const { words } = new c.EpollEvents(1);
      assertEquals(c.epoll_wait(epfd, words, 0, 0), -c.EINVAL);
      assertEquals(c.epoll_wait(epfd, words, -1, 0), -c.EINVAL);
      assertEquals(c.epoll_wait(-1, words, 1, 0), -c.EBADF);
      assertEquals(c.epoll_wait(fd, words, 1, 0), -c.EINVAL);
    })
  );
});

test("the 64 bits of user data come back whole", () => {
  const words = [0, 1, -1, 0x7fffffff, -0x80000000, 0x12345678];
  withEpoll((epfd) =>
    withCounter(1, (fd) => {
      const events = new c.EpollEvents(1);
      for (const slot of words) {
        for (const generation of words) {
          const wanted = event(c.EPOLLIN, slot, generation);
          c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, wanted);
          assertEquals(c.epoll_wait(epfd, events.words, 1, 0), 1);
          assertEquals(
            [events.mask(0), events.slot(0), events.generation(0)],
            [c.EPOLLIN, slot, generation],
          );
          c.epoll_ctl(epfd, c.EPOLL_CTL_DEL, fd, null);
        }
      }
    })
  );
});

test("epoll_wait() serves a set larger than its events in turn", () => {
  withEpoll((epfd) => {
    const fds = Array.from({ length: 13 }, () => c.eventfd(1, c.EFD_CLOEXEC));
    for (const fd of fds) {
      c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, event(c.EPOLLIN, fd));
    }
    const seen = new Map<number, number>();
    const events = new c.EpollEvents(3);
    for (let left = 4 * fds.length; left > 0;) {
      const count = c.epoll_wait(epfd, events.words, Math.min(3, left), 0);
      for (let index = 0; index < count; index++) {
        const fd = events.slot(index);
        seen.set(fd, (seen.get(fd) ?? 0) + 1);
      }
      left -= count;
    }
    assertEquals(fds.map((fd) => seen.get(fd)), fds.map(() => 4));
    fds.forEach(c.close);
  });
});

test("three writes to an edge-triggered eventfd give three events, unread", () => {
  withEpoll((epfd) =>
    withCounter(0, (fd) => {
      const edge = event(c.EPOLLIN | c.EPOLLET);
      c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, edge);
      for (let round = 0; round < 3; round++) {
        assertEquals(add(fd, 1n), 8);
        assertEquals(ready(epfd), [c.EPOLLIN]);
        assertEquals(ready(epfd), []);
      }
      for (let round = 0; round < 3; round++) add(fd, 1n);
      assertEquals(ready(epfd), [c.EPOLLIN]);
      assertEquals(c.epoll_ctl(epfd, c.EPOLL_CTL_MOD, fd, edge), 0);
      assertEquals(ready(epfd), [c.EPOLLIN]);
    })
  );
});

test("a full eventfd refuses a write with EAGAIN and wakes nobody", () => {
  withEpoll((epfd) =>
    withCounter(0, (fd) => {
      add(fd, 2n ** 64n - 2n);
      const edge = event(c.EPOLLIN | c.EPOLLET);
      c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, edge);
      assertEquals(ready(epfd), [c.EPOLLIN]);
      assertEquals(add(fd, 1n), -c.EAGAIN);
      assertEquals(ready(epfd), []);
      assertEquals(c.read(fd, counterBytes), 8);
      assertEquals(counterOf[0], 2n ** 64n - 2n);
      assertEquals(add(fd, 1n), 8);
      assertEquals(ready(epfd), [c.EPOLLIN]);
    })
  );
});

test("an eventfd as a semaphore gives 1 a time", () => {
  const fd = c.eventfd(3, c.EFD_SEMAPHORE | c.EFD_NONBLOCK | c.EFD_CLOEXEC);
  for (let round = 0; round < 3; round++) {
    assertEquals(c.read(fd, counterBytes), 8);
    assertEquals(counterOf[0], 1n);
  }
  assertEquals(c.read(fd, counterBytes), -c.EAGAIN);
  assertEquals(c.close(fd), 0);
});

test("nested epoll descriptors are readable at every level", () => {
  withCounter(1, (fd) => {
    const epfds: number[] = [];
    let watched = fd;
    for (let depth = 1; depth <= 5; depth++) {
      const epfd = c.epoll_create1(c.EPOLL_CLOEXEC);
      assertEquals(
        c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, watched, event(c.EPOLLIN)),
        0,
      );
      epfds.push(epfd);
      watched = epfd;
    }
    for (const epfd of epfds) assertEquals(ready(epfd), [c.EPOLLIN]);
    epfds.forEach(c.close);
  });
});

test("epoll_pwait2() waits a part of a millisecond, never less", () => {
  withEpoll((epfd) => {
    const { words } = new c.EpollEvents(1);
    for (let round = 0; round < 200; round++) {
      const start = c.now();
      assertEquals(c.epoll_pwait2(epfd, words, 1, 0.1), 0);
      assertGreaterOrEqual(c.now() - start, 0.1);
    }
    assertEquals(c.epoll_pwait2(epfd, words, 1, 0), 0);
  });
});

test("epoll_pwait2() returns events, and the kernel's error for each misuse", () => {
  withEpoll((epfd) =>
    withCounter(1, (fd) => {
      const events = new c.EpollEvents(1);
      c.epoll_ctl(epfd, c.EPOLL_CTL_ADD, fd, event(c.EPOLLIN, 5));
      const forever = Number.MAX_SAFE_INTEGER;
      assertEquals(c.epoll_pwait2(epfd, events.words, 1, forever), 1);
      assertEquals(events.slot(0), 5);
      assertEquals(c.epoll_pwait2(epfd, events.words, 0, 0), -c.EINVAL);
      assertEquals(c.epoll_pwait2(-1, events.words, 1, 0), -c.EBADF);
    })
  );
});

test("waits take a signal mask", () => {
  withEpoll((epfd) => {
    const { words } = new c.EpollEvents(1);
    const mask = c.sigset([c.SIGUSR1]);
    assertEquals(c.epoll_pwait(epfd, words, 1, 0, mask), 0);
    assertEquals(c.epoll_pwait(epfd, words, 1, 0), 0);
    assertEquals(c.epoll_pwait(-1, words, 1, 0), -c.EBADF);
    assertEquals(c.epoll_pwait2(epfd, words, 1, 0, mask), 0);
  });
});

test("no event is written past the end of the memory given", () => {
  withEpoll((epfd) => {
    const events = new c.EpollEvents(2);
    const short = events.words.subarray(0, -1);
    const mask = new Uint8Array(4);
    const calls: [() => number, string][] = [
      [() => c.epoll_wait(epfd, short, 2, 0), "the events"],
      [() => c.epoll_pwait(epfd, short, 2, 0), "the events"],
      [() => c.epoll_pwait2(epfd, short, 2, 0), "the events"],
      [() => c.epoll_pwait(epfd, events.words, 2, 0, mask), "sigset_t"],
      [() => c.epoll_pwait2(epfd, events.words, 2, 0, mask), "a signal mask"],
      [
        () => c.epoll_ctl(epfd, 1, 0, events.words.subarray(0, 2)),
        "an event",
      ],
    ];
    for (const [call, what] of calls) {
      assertThrows(
        call,
        RangeError,
        `Cannot make a system call: ${what} takes`,
      );
    }
    assertEquals(c.epoll_wait(epfd, short, 1, 0), 0);
  });
});

test("no argument reaches the kernel as another number", () => {
  const { words } = new c.EpollEvents(1);
  const attempts = [3.7, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1];
  // Compiled code is the kind that would truncate.
  for (let round = 0; round < 20_000; round++) c.epoll_wait(-1, words, 1, 0);
  for (const value of attempts) {
    for (
      const call of [
        () => c.epoll_create1(value),
        () => c.epoll_ctl(value, 1, 1, words),
        () => c.epoll_ctl(-1, value, 1, words),
        () => c.epoll_ctl(-1, 1, value, words),
        () => c.epoll_wait(value, words, 1, 0),
        () => c.epoll_wait(-1, words, 1, value),
        () => c.epoll_pwait2(value, words, 1, 0),
        () => c.eventfd(-1),
      ]
    ) assertThrows(call, TypeError, "the current value is");
  }
  assert(c.epoll_wait(-1, words, 1, 0) === -c.EBADF);
});
