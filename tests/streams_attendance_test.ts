/** How often a streams' engine looks before it waits on another thread. */
import { assertEquals } from "@std/assert";
import { Attendance } from "../src/net/streams_attendance.ts";
import { test } from "./support/descriptors.ts";

test("looks become fewer where they find nothing, and more where waits are short", async () => {
  let nowMs = 0;
  let threadWaitMs = 0;
  let waits = 0;
  const attendance = new Attendance(() => {}, () => {}, {
    now: () => nowMs,
    waitReadable: () => {
      nowMs += threadWaitMs;
      waits++;
      return Promise.resolve();
    },
  });
  attendance.opened();

  /** The looks for one operation, until a thread waits for so long. */
  async function looks(waitMs: number): Promise<number> {
    threadWaitMs = waitMs;
    const before = waits;
    attendance.began(true);
    let count = -1;
    for (; waits === before; count++) await attendance.wait(0, -1);
    attendance.ended(true);
    return count;
  }

  const counts: number[] = [];
  for (const waitMs of [...Array(7).fill(10), ...Array(7).fill(0.1)]) {
    counts.push(await looks(waitMs));
  }
  assertEquals(counts, [32, 16, 8, 4, 2, 1, 1, 1, 2, 4, 8, 16, 32, 32]);
});
