/** The stress of `inbox_stress.ts`, with fewer messages than it takes by itself. */
import { assertEquals } from "@std/assert";
import { stress } from "./inbox_stress.ts";
import { test } from "./support/descriptors.ts";

const POSTS = 20_000;
const WORKERS = 8;

for (
  const hardship of [
    "full lanes",
    "a slow receiver",
    "coming and going",
  ] as const
) {
  test(`eight workers lose, tear, double and reorder nothing: ${hardship}`, async () => {
    const { received } = await stress(hardship, POSTS, WORKERS);
    assertEquals(received, POSTS * WORKERS);
  });
}
