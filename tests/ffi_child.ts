/** What the tests of the raw layer run in a process of its own. */
import process from "node:process";
import * as c from "../ffi/mod.ts";

const programs: Record<string, () => void | Promise<void>> = {
  /** Becomes a shell that shows its arguments and its environment. */
  execve() {
    const script = 'echo "$1|$2|$3"; echo "NAME=$NAME"; exit 7';
    const args = ["sh", "-c", script, "sh", "a b", "c", "ä"];
    const result = c.execve("/bin/sh", args, ["NAME=value with spaces"]);
    throw new c.SystemError("execve", result);
  },

  /** Blocks a signal in every thread by starting again, then sends values. */
  sigqueue() {
    const signal = c.SIGRTMIN + 3;
    const mask = c.sigset([signal]);
    const before = c.sigset();
    c.pthread_sigmask(c.SIG_BLOCK, mask, before);
    if (!c.sigismember(before, signal)) return startAgain();
    const fd = c.check(c.signalfd(-1, mask, c.SFD_CLOEXEC), "signalfd");
    const values = [-1, 0, 0x7fffffff, -0x80000000];
    for (const value of values) {
      c.check(c.sigqueue(c.getpid(), signal, value), "sigqueue");
    }
    const { size, ssi_int } = c.signalfd_siginfo;
    const records = new DataView(new ArrayBuffer(values.length * size));
    c.check(c.read(fd, new Uint8Array(records.buffer)), "read");
    const got = values.map((_, index) =>
      records.getInt32(index * size + ssi_int, true)
    );
    console.log(got.join(" "));
  },

  /** Lets a pending signal in while it waits. */
  interrupt() {
    process.on("SIGUSR2", () => {});
    const before = c.sigset();
    c.pthread_sigmask(c.SIG_BLOCK, c.sigset([c.SIGUSR2]), before);
    c.check(c.tgkill(c.getpid(), c.gettid(), c.SIGUSR2), "tgkill");
    const epfd = c.check(c.epoll_create1(c.EPOLL_CLOEXEC), "epoll_create1");
    const { words } = new c.EpollEvents(1);
    const result = c.epoll_pwait(epfd, words, 1, 60_000, before);
    console.log(c.errnoName(result));
    process.exit();
  },

  /** Sends signals to every thread while one of them waits. */
  async ["wait-readable"]() {
    let seen = 0;
    process.on("SIGUSR2", () => seen++);
    const fd = c.check(c.eventfd(0, c.EFD_CLOEXEC), "eventfd");
    const timeoutMs = 200;
    const start = c.now();
    const waiting = c.waitReadable(fd, timeoutMs);
    const threads = Array.from(Deno.readDirSync("/proc/self/task"));
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      for (const { name } of threads) {
        c.tgkill(c.getpid(), Number(name), c.SIGUSR2);
      }
    }
    await waiting;
    const whole = c.now() - start >= timeoutMs;
    console.log(
      `${seen > 0 ? "signals seen" : "no signal"}, ${
        whole ? "waited the whole time" : "ended early"
      }`,
    );
    process.exit();
  },
};

/** Runs this same program once more, with the signal mask of this thread. */
function startAgain(): never {
  const fd = c.check(c.open("/proc/self/cmdline", c.O_RDONLY), "open");
  const buffer = new Uint8Array(8192);
  const length = c.check(c.read(fd, buffer), "read");
  c.close(fd);
  const args = new TextDecoder().decode(buffer.subarray(0, length - 1));
  // The cache directory, and no more: the scoped permission has no other.
  const result = c.execve("/proc/self/exe", args.split("\0"), []);
  throw new c.SystemError("execve", result);
}

await programs[process.argv[2]]();
