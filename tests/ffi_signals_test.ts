/**
 * Signals and processes through the raw layer, on the real kernel. Signals go
 * to this thread alone, which blocks them: one sent to the process would end
 * it, as its other threads block none.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { Program, runDeno } from "./support/process.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";

/** Blocks signals in this thread, and hands out a signalfd of them. */
function withSignals(
  numbers: number[],
  use: (fd: number, raise: (signal: number) => void) => void,
): void {
  const mask = c.sigset(numbers);
  const before = c.sigset();
  assertEquals(c.pthread_sigmask(c.SIG_BLOCK, mask, before), 0);
  const fd = c.check(
    c.signalfd(-1, mask, c.SFD_CLOEXEC | c.SFD_NONBLOCK),
    "signalfd",
  );
  try {
    use(fd, (signal) => {
      c.check(c.tgkill(c.getpid(), c.gettid(), signal), "tgkill");
    });
  } finally {
    c.close(fd);
    c.pthread_sigmask(c.SIG_SETMASK, before);
  }
}

/** The numbers of the signals that wait in a signalfd. */
function received(fd: number): number[] {
  const { size, ssi_signo, ssi_pid } = c.signalfd_siginfo;
  const buffer = new Uint8Array(8 * size);
  const count = c.read(fd, buffer);
  if (count === -c.EAGAIN) return [];
  const view = new DataView(buffer.buffer);
  const numbers: number[] = [];
  for (let at = 0; at < count; at += size) {
    assertEquals(view.getUint32(at + ssi_pid, true), c.getpid());
    numbers.push(view.getUint32(at + ssi_signo, true));
  }
  return numbers;
}

test("sigset() holds the signals given and no other", () => {
  const numbers = [1, 8, 9, 31, 32, 33, 64];
  const set = c.sigset(numbers);
  assertEquals(set.length, 128);
  const all = Array.from({ length: 64 }, (_, index) => index + 1);
  assertEquals(all.filter((number) => c.sigismember(set, number)), numbers);
  assertEquals(c.sigset().every((byte) => byte === 0), true);
  for (const number of [0, 65, -1, 1.5, NaN]) {
    assertThrows(
      () => c.sigset([number]),
      RangeError,
      `from 1 to 64, the current value is ${number}`,
    );
  }
});

test("pthread_sigmask() sets and tells the mask of this thread", () => {
  const before = c.sigset();
  assertEquals(c.pthread_sigmask(c.SIG_BLOCK, null, before), 0);
  assertEquals(c.sigismember(before, c.SIGUSR2), false);
  withSignals([c.SIGUSR2], () => {
    const now = c.sigset();
    c.pthread_sigmask(c.SIG_BLOCK, null, now);
    assertEquals(c.sigismember(now, c.SIGUSR2), true);
  });
  const after = c.sigset();
  c.pthread_sigmask(c.SIG_BLOCK, null, after);
  assertEquals(after, before);
  assertEquals(c.pthread_sigmask(99, c.sigset()), -c.EINVAL);
});

test("signalfd() reads standard signals once, whatever their count", () => {
  withSignals([c.SIGUSR1, c.SIGUSR2], (fd, raise) => {
    assertEquals(received(fd), []);
    for (let count = 0; count < 5; count++) raise(c.SIGUSR2);
    raise(c.SIGUSR1);
    assertEquals(received(fd), [c.SIGUSR1, c.SIGUSR2]);
    assertEquals(received(fd), []);
  });
});

test("signalfd() reads each of the real-time signals", () => {
  const first = c.SIGRTMIN + 1;
  withSignals([first, c.SIGRTMAX], (fd, raise) => {
    for (const signal of [c.SIGRTMAX, first, first]) raise(signal);
    assertEquals(received(fd), [first, first, c.SIGRTMAX]);
  });
});

test("signalfd() can be given another set", () => {
  withSignals([c.SIGUSR1, c.SIGUSR2], (fd, raise) => {
    assertEquals(c.signalfd(fd, c.sigset([c.SIGUSR2])), fd);
    raise(c.SIGUSR1);
    assertEquals(received(fd), []);
    assertEquals(c.signalfd(fd, c.sigset([c.SIGUSR1])), fd);
    assertEquals(received(fd), [c.SIGUSR1]);
  });
});

test("signal calls return the kernel's error for each misuse", () => {
  const file = c.eventfd();
  assertEquals(c.signalfd(file, c.sigset()), -c.EINVAL);
  assertEquals(c.signalfd(-1, c.sigset(), 1), -c.EINVAL);
  c.close(file);
  assertEquals(c.signalfd(file, c.sigset()), -c.EBADF);
  const nobody = 2 ** 30;
  assertEquals(c.kill(nobody, 0), -c.ESRCH);
  assertEquals(c.kill(c.getpid(), 99), -c.EINVAL);
  assertEquals(c.kill(c.getpid(), 0), 0);
  assertEquals(c.tgkill(c.getpid(), nobody, 0), -c.ESRCH);
  assertEquals(c.tgkill(c.getpid(), c.gettid(), 0), 0);
  assertEquals(c.sigqueue(nobody, 0, 1), -c.ESRCH);
  assertEquals(c.sigqueue(c.getpid(), 0, 1), 0);
  assertEquals(c.pidfd_open(nobody), -c.ESRCH);
  assertEquals(c.pidfd_open(-1), -c.EINVAL);
  assertEquals(c.pidfd_send_signal(-1, 0), -c.EBADF);
});

test("no signal set is read or written past its end", () => {
  const short = new Uint8Array(127);
  for (
    const call of [
      () => c.signalfd(-1, short),
      () => c.pthread_sigmask(c.SIG_BLOCK, short),
      () => c.pthread_sigmask(c.SIG_BLOCK, null, short),
    ]
  ) assertThrows(call, RangeError, "sigset_t takes 128 bytes");
});

test("getpid() and gettid() name this process and its main thread", () => {
  assertEquals(c.getpid(), Deno.pid);
  const tasks = Array.from(Deno.readDirSync("/proc/self/task"));
  assert(tasks.some(({ name }) => Number(name) === c.gettid()));
});

test("pidfd_open() makes a descriptor that is readable once a process ends", async () => {
  await using program = new Program("sleep", ["60"]);
  const fd = c.check(c.pidfd_open(program.pid), "pidfd_open");
  const poll = () => c.poll(new Int32Array([fd, c.POLLIN]), 1, 0);
  assertEquals(poll(), 0);
  assertEquals(c.fcntl(fd, c.F_GETFD), c.FD_CLOEXEC);
  assertEquals(c.pidfd_send_signal(fd, c.SIGTERM), 0);
  assertEquals((await program.finished()).signal, "SIGTERM");
  assertEquals(poll(), 1);
  assertEquals(c.pidfd_send_signal(fd, 0), -c.ESRCH);
  c.close(fd);
});

test("execve() replaces the program, with arguments and environment", async () => {
  const result = await runDeno("tests/ffi_child.ts", {
    flags: [scopedFlag],
    args: ["execve"],
  });
  assertEquals(result, {
    code: 7,
    signal: null,
    stdout: "a b|c|ä\nNAME=value with spaces\n",
    stderr: "",
  });
});

test("execve() returns the kernel's error", () => {
  assertEquals(c.execve("/no/such/program", [], []), -c.ENOENT);
  assertEquals(c.execve("/", ["x"], []), -c.EACCES);
  assertThrows(() => c.execve("/bin/true", ["a\0b"], []), TypeError);
});

test("sigqueue() carries a value to every thread's signalfd", async () => {
  const result = await runDeno("tests/ffi_child.ts", {
    flags: [scopedFlag],
    args: ["sigqueue"],
  });
  assertEquals(result.stderr, "");
  assertEquals(result.stdout, "-1 0 2147483647 -2147483648\n");
});

test("a wait ends with EINTR for a signal that its mask lets in", async () => {
  const result = await runDeno("tests/ffi_child.ts", {
    args: ["interrupt"],
  });
  assertEquals(result.stderr, "");
  assertEquals(result.stdout, "EINTR\n");
});
