/**
 * An echo server of several workers behind one port, in each of the three ways:
 *
 * - `reuseport`: every worker has a socket of its own, and the kernel deals the
 *   connections out by their addresses (SO_REUSEPORT);
 * - `exclusive`: all wait for one socket, and a connection wakes few of them
 *   (EPOLLEXCLUSIVE), whichever are idle;
 * - `handover`: this thread accepts, and gives the connections to the workers in
 *   turn.
 *
 *     deno run --allow-ffi --allow-read examples/echo_workers.ts [port] [workers] [way]
 */
import { argv } from "node:process";
import {
  type Connection,
  Engine,
  EngineWorker,
  type InboxAddress,
  Outbox,
} from "../mod.ts";
import { check, close, F_DUPFD_CLOEXEC, fcntl } from "../ffi/mod.ts";
import { fail, integer } from "./echo.ts";
import type { Source } from "./workers/echo_worker.ts";

const BACKLOG = 4096;
const WORKERS_MAX = 64;

/** Each starts `count` workers, and returns the port. */
const ways = {
  async reuseport(port: number, count: number): Promise<number> {
    // The first one finds a port where that is 0.
    const first = await start({ from: "port", port, backlog: BACKLOG });
    const source = { from: "port", port: Number(first), backlog: BACKLOG };
    await startAll(count - 1, () => source as Source);
    return Number(first);
  },

  async exclusive(port: number, count: number): Promise<number> {
    using engine = new Engine();
    const { fd, port: bound } = engine.listen({ port, backlog: BACKLOG }, {});
    // Each worker closes its own, and this thread closes the first.
    const duplicate = () => check(fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl");
    await startAll(count, () => ({ from: "socket", fd: duplicate() }));
    return bound;
  },

  async handover(port: number, count: number): Promise<number> {
    const addresses = await startAll(count, () => ({ from: "inbox" }));
    const outboxes = addresses.map((address) =>
      new Outbox(address as InboxAddress)
    );
    let next = 0;
    const open = (connection: Connection) => {
      const fd = connection.detach();
      next = (next + 1) % count;
      // What was not sent is still ours.
      if (outboxes[next].give(fd) !== "sent") close(fd);
    };
    const engine = new Engine();
    const listener = engine.listen({ port, backlog: BACKLOG }, { open });
    // Beside the runtime's own loop, which hears of workers that fail.
    engine.start().catch(failWith);
    return listener.port;
  },
};

const workers: EngineWorker[] = [];

/** Starts a worker, and waits until it is ready. */
function start(source: Source): Promise<unknown> {
  const module = new URL("workers/echo_worker.ts", import.meta.url);
  const worker = new EngineWorker(module, { data: source });
  workers.push(worker);
  return worker.ready;
}

function startAll(count: number, source: () => Source): Promise<unknown[]> {
  return Promise.all(Array.from({ length: count }, () => start(source())));
}

function failWith(error: unknown): never {
  fail(error instanceof Error ? error.message : String(error));
}

const [, , portText = "8080", countText = "4", way = "reuseport"] = argv;
const port = integer("port", portText, 0, 65535);
const count = integer("number of workers", countText, 1, WORKERS_MAX);
if (way !== "reuseport" && way !== "exclusive" && way !== "handover") {
  fail(`The way must be reuseport, exclusive or handover, and is ${way}`);
}
try {
  console.log(`listening on 127.0.0.1:${await ways[way](port, count)}`);
  await Promise.race(workers.map(({ finished }) => finished));
} catch (error) {
  failWith(error);
}
