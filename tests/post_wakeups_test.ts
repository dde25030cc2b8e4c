/** What posting costs in system calls, as the kernel sees them. */
import { assert, assertEquals } from "@std/assert";
import { straceTest, trace } from "./support/strace.ts";

const ROUNDS = 30;
const BURST = 200;

/** What is written to an eventfd; the thread may have had another file by its number. */
const ONE = '"\\1\\0\\0\\0\\0\\0\\0\\0", 8';

/** Runs the bursts; returns the writes of each sender, and the reads of the eventfd. */
async function wakeUps(senders: number) {
  const { calls, stdout } = await trace(
    "tests/children/post_wakeups.ts",
    ["fcntl", "write", "read"],
    { args: [`${senders}`, `${ROUNDS}`, `${BURST}`] },
  );
  assertEquals(stdout.trim(), `received ${senders * ROUNDS * BURST}`);
  // The runtime's own duplicates are 3 or more: its third argument is 3.
  const duplicates = calls.filter(({ name, args }) =>
    name === "fcntl" && args.endsWith("F_DUPFD_CLOEXEC, 0")
  );
  assertEquals(duplicates.length, senders);
  const [{ fd: eventfd }] = duplicates;
  return {
    writes: duplicates.map(({ thread, result }) =>
      calls.filter((call) =>
        call.name === "write" && call.thread === thread &&
        call.args === `${result}, ${ONE}`
      ).length
    ),
    reads:
      calls.filter(({ name, fd, args }) =>
        name === "read" && fd === eventfd && args.endsWith(", 8")
      ).length,
  };
}

straceTest(
  "one sender writes the eventfd once for each change from idle to busy",
  async () => {
    assertEquals(await wakeUps(1), { writes: [ROUNDS], reads: 0 });
  },
);

straceTest(
  "of several senders each writes the eventfd once at the most",
  async () => {
    const { writes, reads } = await wakeUps(4);
    for (const count of writes) assert(count <= ROUNDS, `${writes}`);
    const sum = writes.reduce((sum, count) => sum + count, 0);
    assert(sum >= ROUNDS, `${writes}`);
    assertEquals(reads, 0);
  },
);
