/** The histogram of times. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import { Histogram } from "../mod.ts";
import { generator } from "./support/random.ts";
import { declareTest } from "./support/runner.ts";

declareTest("an empty histogram tells 0 of everything", () => {
  const { count, totalMs, maxMs, meanMs } = new Histogram();
  assertEquals([count, totalMs, maxMs, meanMs], [0, 0, 0, 0]);
  assertEquals(new Histogram().percentileMs(50), 0);
});

declareTest(
  "a percentile is never below the time it stands for, nor 1/16 above",
  () => {
    const random = generator(1);
    const histogram = new Histogram();
    const times = Array.from(
      { length: 2_000 },
      () => 0.001 * 1.01 ** random(1_900),
    );
    for (const time of times) histogram.record(time);
    times.sort((a, b) => a - b);
    for (const percent of [0, 1, 25, 50, 90, 99, 99.9, 100]) {
      const rank = Math.max(Math.ceil(times.length * percent / 100), 1);
      const exact = times[rank - 1];
      const told = histogram.percentileMs(percent);
      assertGreaterOrEqual(told, exact);
      assertLessOrEqual(told, exact * (1 + 1 / 16) + 0.0001);
    }
    assertEquals(histogram.count, times.length);
    assertEquals(histogram.maxMs, times.at(-1));
  },
);

declareTest(
  "times below a tenth of a microsecond and above 7 minutes have buckets, too",
  () => {
    const histogram = new Histogram();
    for (const time of [-1, 0, 1e-9, 1e9]) histogram.record(time);
    assertEquals(histogram.count, 4);
    assertEquals(histogram.percentileMs(50), 0.0001);
    assertGreaterOrEqual(histogram.percentileMs(100), 7 * 60_000);
    assertEquals(histogram.maxMs, 1e9);
  },
);

declareTest("since() tells what was recorded after a copy", () => {
  const histogram = new Histogram();
  histogram.record(500);
  const before = histogram.copy();
  histogram.record(2);
  histogram.record(4);
  const since = histogram.since(before);
  assertEquals([since.count, since.totalMs, since.meanMs], [2, 6, 3]);
  assert(since.maxMs >= 4 && since.maxMs <= 4.25, `${since.maxMs}`);
  assertEquals(before.count, 1);
  assertEquals(histogram.since(histogram).maxMs, 0);
});

declareTest("percentileMs() takes no percentage outside of 0 to 100", () => {
  for (const percent of [-1, 101, NaN]) {
    const error = assertThrows(
      () => new Histogram().percentileMs(percent),
      RangeError,
    );
    assertEquals(
      error.message,
      `Cannot tell a percentile: it must be from 0 to 100, and is ${percent}`,
    );
  }
});
