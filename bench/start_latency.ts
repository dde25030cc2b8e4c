/**
 * What `engine.start()` costs the rest of its thread: how late a 1 ms interval
 * timer is, and how long a fetch from a local server takes, both in the thread
 * of an engine that echoes at full load. Beside it the same with no load, and
 * with the same echo by the runtime's own listener.
 *
 *     deno run -A bench/start_latency.ts [seconds]
 */
import { Engine } from "../mod.ts";
import { Child } from "./children.ts";
import { buildTools } from "./tools.ts";

const LATE_MAX_MS = 10;
const WARM_UP_S = 1;

/** Milliseconds, to be ranked. */
class Samples {
  readonly #values: number[] = [];

  add(value: number): void {
    this.#values.push(value);
  }

  get count(): number {
    return this.#values.length;
  }

  percentile(percent: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b);
    const index = Math.floor(sorted.length * percent / 100);
    return sorted[Math.min(index, sorted.length - 1)] ?? NaN;
  }

  toString(): string {
    const [median, most, max] = [50, 99, 100].map((percent) =>
      this.percentile(percent).toFixed(2).padStart(8)
    );
    return `${String(this.count).padStart(7)} ${median} ${most} ${max}`;
  }
}

/** What the rest of the thread sees until `until` is settled. */
async function probe(url: string, until: Promise<unknown>) {
  const lateness = new Samples();
  const fetching = new Samples();
  let done = false;
  let last = performance.now();
  const interval = setInterval(() => {
    const now = performance.now();
    lateness.add(Math.max(0, now - last - 1));
    last = now;
  }, 1);
  const fetches = (async () => {
    while (!done) {
      const began = performance.now();
      await (await fetch(url)).text();
      fetching.add(performance.now() - began);
    }
  })();
  const result = await until;
  done = true;
  await fetches;
  clearInterval(interval);
  return { lateness, fetching, result };
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

/** Runs the load generator to its result: messages a second. */
async function load(tool: string, port: number, seconds: number) {
  await using child = new Child([
    tool,
    "--port",
    String(port),
    "--depth",
    "16",
    "--warmup",
    String(WARM_UP_S),
    "--seconds",
    String(seconds),
  ]);
  await child.line();
  const line = await child.line((seconds + 10) * 1000);
  return JSON.parse(line) as Record<string, number>;
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
    new Promise<null>((resolve) =>
      setTimeout(() => resolve(null), seconds * 1000)
    );
  console.log(
    "milliseconds                        count   median     99 %      max",
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
    const { lateness, fetching, result } = await probe(url, until);
    console.log(`${name.padEnd(24)} timer ${lateness}`);
    console.log(`${"".padEnd(24)} fetch ${fetching}`);
    if (result !== null) {
      console.log(`${"".padEnd(25)}${JSON.stringify(result)}`);
    }
    if (!name.startsWith("start()")) continue;
    for (const samples of [lateness, fetching]) {
      if (samples.percentile(99) > LATE_MAX_MS) {
        console.error(`More than ${LATE_MAX_MS} ms at the 99th percentile`);
        Deno.exitCode = 1;
      }
    }
  }
} finally {
  Deno.removeSync(directory, { recursive: true });
}
