/**
 * Prints the bytes of heap that each event costs once everything is warm. Run it
 * with a young generation that holds the whole run, so that nothing is collected
 * in between: `--v8-flags=--min-semi-space-size=64`.
 */
import { argv, memoryUsage } from "node:process";
import { EFD_NONBLOCK, eventfd } from "../../ffi/mod.ts";
import { type Connection, Engine } from "../../mod.ts";

const WARM_UP = 100_000;
const EVENTS = 500_000;

let events = 0;
let before = 0;

/** Counts an event; true for the last. */
function count(): boolean {
  events++;
  if (events === WARM_UP) before = memoryUsage().heapUsed;
  if (events < WARM_UP + EVENTS) return false;
  console.log((memoryUsage().heapUsed - before) / EVENTS);
  return true;
}

/** A descriptor that is always readable. */
function readEvents(trigger: "edge" | "level"): void {
  using engine = new Engine({ trigger });
  const event = engine.register(eventfd(1, EFD_NONBLOCK), {
    read() {
      // In an edge-triggered engine this asks the kernel to report it again.
      if (trigger === "edge") event.readReady = false;
      if (count()) engine.stop();
      else event.enableRead();
    },
  });
  event.enableRead();
  engine.run();
  event.close();
}

/** Connections that send a message to and fro. */
function messages(trigger: "edge" | "level"): void {
  using engine = new Engine({ trigger });
  const echo = (connection: Connection, chunk: Uint8Array) => {
    connection.write(chunk);
  };
  const listener = engine.listen({}, { data: echo });
  for (let index = 0; index < 20; index++) {
    engine.connect({ port: listener.port }, {
      open: (connection) => echo(connection, new Uint8Array(64)),
      data(connection, chunk) {
        echo(connection, chunk);
        if (count()) engine.stop();
      },
    });
  }
  engine.run();
}

/** A timer that is postponed, and one that fires in each turn. */
function timers(): void {
  using engine = new Engine();
  const idle = engine.timer(60_000, () => {});
  const timer = engine.timer(0, () => {
    idle.reset();
    if (count()) engine.stop();
    else timer.reset();
  });
  engine.run();
}

const [, , what, trigger] = argv;
const mode = trigger === "level" ? "level" : "edge";
if (what === "events") readEvents(mode);
else if (what === "messages") messages(mode);
else timers();
