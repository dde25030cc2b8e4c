/** What events cost in memory once everything is warm: nothing. */
import { assert, assertEquals } from "@std/assert";
import { HEAP_METER_FLAG } from "./support/heap_meter.ts";
import { runDeno } from "./support/process.ts";

/** Less than this is what the runtime itself does in the meantime. */
const BYTES_MAX = 1;

/** The bytes of heap for each event, with nothing collected in between. */
async function bytesEach(...args: string[]): Promise<number> {
  const flags = ["--allow-all", HEAP_METER_FLAG];
  const result = await runDeno("tests/children/steady_state.ts", {
    flags,
    args,
  });
  assertEquals(result.code, 0, result.stderr);
  return Number.parseFloat(result.stdout);
}

for (const trigger of ["edge", "level"]) {
  Deno.test(`${trigger}: an event allocates nothing on its way to the handler`, async () => {
    const bytes = await bytesEach("events", trigger);
    assert(bytes < BYTES_MAX, `${bytes} bytes for each event`);
  });

  Deno.test(`${trigger}: a message allocates nothing on its way through two connections`, async () => {
    const bytes = await bytesEach("messages", trigger);
    assert(bytes < BYTES_MAX, `${bytes} bytes for each message`);
  });

  Deno.test(`${trigger}: a message that is merged with others allocates nothing either`, async () => {
    const bytes = await bytesEach("merged", trigger);
    assert(bytes < BYTES_MAX, `${bytes} bytes for each message`);
  });
}

Deno.test("a request to the HTTP example allocates nothing: less than a number is its share of a turn's readings of the clock", async () => {
  const bytes = await bytesEach("requests");
  assert(bytes < 16, `${bytes} bytes for each request`);
});

Deno.test("a timer that fires and one that is postponed allocate seven numbers at the most", async () => {
  const bytes = await bytesEach("timers");
  // Three readings of the clock, and what V8 does not hand over unboxed: up to
  // four, by which functions it has chosen to inline.
  assert(bytes < 7 * 16 + BYTES_MAX, `${bytes} bytes for each round`);
});
