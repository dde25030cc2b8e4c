/**
 * What `engine.start()` costs the rest of its thread: how late a 1 ms interval
 * timer is, and how long a fetch from a local server takes, both in the thread
 * of an engine that echoes at full load. Beside it the same with no load, and
 * with the same echo by the runtime's own listener.
 *
 * `wall` is the time of the clock, `thread` how much of it this thread was
 * running: on a machine with other work to do, the rest is the scheduler's.
 *
 *     deno run -A bench/start_latency.ts [seconds]
 */
import { Engine } from "../mod.ts";
import { clock_gettime } from "../ffi/mod.ts";
import { Child } from "./children.ts";
import { buildTools } from "./tools.ts";

const WARM_UP_S = 1;
const CLOCK_THREAD_CPUTIME_ID = 3;

const timespec = new Int32Array(4);

/** The time of this thread's own running, in ms. */
function threadMs(): number {
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, timespec);
  return timespec[0] * 1e3 + timespec[2] / 1e6;
}

/** Durations in ms, by the clock and by this thread's own running. */
class Durations {
  readonly #wall: number[] = [];
  readonly #thread: number[] = [];
  #wallBegan = 0;
  #threadBegan = 0;

  begin(): void {
    this.#wallBegan = performance.now();
    this.#threadBegan = threadMs();
  }

  /** Notes what is over `dueMs`. */
  end(dueMs: number): void {
    const wall = performance.now() - this.#wallBegan - dueMs;
    const thread = threadMs() - this.#threadBegan - dueMs;
    this.#wall.push(Math.max(0, wall));
    this.#thread.push(Math.max(0, thread));
  }

  toString(): string {
    const count = String(this.#wall.length).padStart(7);
    return `${count} ${ranks(this.#wall)} ${ranks(this.#thread)}`;
  }
}

/** The median, the 99th percentile and the maximum. */
function ranks(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.5, 0.99, 1].map((share) => {
    const index = Math.min(
      Math.floor(sorted.length * share),
      sorted.length - 1,
    );
    return (sorted[index] ?? NaN).toFixed(2).padStart(7);
  }).join("");
}

/** What the rest of the thread sees until `until` is settled. */
async function probe<T>(url: string, until: Promise<T>) {
  const ticks = new Durations();
  const fetches = new Durations();
  ticks.begin();
  const interval = setInterval(() => {
    ticks.end(1);
    ticks.begin();
  }, 1);
  let done = false;
  const fetching = (async () => {
    while (!done) {
      fetches.begin();
      await (await fetch(url)).text();
      fetches.end(0);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const result = await until;
  done = true;
  await fetching;
  clearInterval(interval);
  return { ticks, fetches, result };
}

interface Echo extends AsyncDisposable {
  port: number;
}

function edgewise(): Echo {
  const engine = new Engine();
  const listener = engine.listen({ port: 0, backlog: 1024 }, {
    data: (connection, chunk) => void connection.write(chunk),
  });
  const ended = engine.start();
  return {
    port: listener.port,
    async [Symbol.asyncDispose]() {
      engine.close();
      await ended;
    },
  };
}

function runtime(): Echo {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ended = (async () => {
    for await (const connection of listener) {
      connection.readable.pipeTo(connection.writable).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await ended;
    },
  };
}

/** Runs the load generator to its result, in words. */
async function load(tool: string, port: number, seconds: number) {
  const options = { port, depth: 16, warmup: WARM_UP_S, seconds };
  const args = Object.entries(options).flatMap((
    [name, value],
  ) => [`--${name}`, String(value)]);
  await using child = new Child([tool, ...args]);
  await child.line();
  const line = await child.line((seconds + 10) * 1000);
  const result = JSON.parse(line) as { messages: number; seconds: number };
  const rate = Math.round(result.messages / result.seconds / 1000);
  return `${rate},000 messages of 64 bytes a second`;
}

const seconds = Number(Deno.args[0] ?? 5);
if (!(seconds > 0 && seconds <= 3600)) {
  console.error(`The seconds must be from 0 to 3600, and are ${Deno.args[0]}`);
  Deno.exit(1);
}
const directory = Deno.makeTempDirSync({ prefix: "edgewise-bench-" });
try {
  const tools = await buildTools(directory);
  const onListen = () => {};
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen },
    () => new Response("hello"),
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  const pause = () =>
    new Promise<string>((resolve) =>
      setTimeout(() => resolve(""), seconds * 1000)
    );
  console.log(`${" ".repeat(41)} wall:                 thread:`);
  console.log(
    `${"milliseconds".padEnd(33)}   count` +
      "  median   99 %    max  median   99 %    max",
  );
  const rows: [string, (() => Echo) | null, boolean][] = [
    ["no engine", null, false],
    ["start(), idle", edgewise, false],
    ["start(), full load", edgewise, true],
    ["Deno.listen, full load", runtime, true],
  ];
  for (const [name, open, loaded] of rows) {
    await using echo = open === null ? null : open();
    const until = loaded && echo !== null
      ? load(tools.load, echo.port, seconds)
      : pause();
    const { ticks, fetches, result } = await probe(url, until);
    console.log(`${name.padEnd(24)} late by  ${ticks}`);
    console.log(`${"".padEnd(24)} fetch    ${fetches}`);
    if (result !== "") console.log(`${"".padEnd(24)} ${result}`);
  }
} finally {
  Deno.removeSync(directory, { recursive: true });
}
