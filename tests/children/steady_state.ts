/** Prints the bytes of heap that each event costs; see `heap_meter.ts`. */
import { argv } from "node:process";
import { EFD_NONBLOCK, eventfd } from "../../ffi/mod.ts";
import { hello } from "../../examples/http/hello.ts";
import { serveHttp } from "../../examples/http/serve.ts";
import { type Connection, Engine } from "../../mod.ts";
import { HeapMeter } from "../support/heap_meter.ts";

const meter = new HeapMeter();

/** A descriptor that is always readable. */
function readEvents(trigger: "edge" | "level"): void {
  using engine = new Engine({ trigger });
  const event = engine.register(eventfd(1, EFD_NONBLOCK), {
    read() {
      // In an edge-triggered engine this asks the kernel to report it again.
      if (trigger === "edge") event.readReady = false;
      if (meter.count()) engine.stop();
      else event.enableRead();
    },
  });
  event.enableRead();
  engine.run();
  event.close();
}

/** Connections that send a message to and fro; merged or not. */
function messages(trigger: "edge" | "level", mergeWrites: boolean): void {
  using engine = new Engine({ trigger });
  const echo = (connection: Connection, chunk: Uint8Array) => {
    connection.write(chunk);
  };
  const listener = engine.listen({ mergeWrites }, { data: echo });
  for (let index = 0; index < 20; index++) {
    engine.connect({ port: listener.port, mergeWrites }, {
      open: (connection) => echo(connection, new Uint8Array(64)),
      data(connection, chunk) {
        echo(connection, chunk);
        if (meter.count()) engine.stop();
      },
    });
  }
  engine.run();
}

/** Connections that ask the HTTP server of the examples for its hello. */
function requests(): void {
  using engine = new Engine();
  const listener = serveHttp(engine, {}, hello);
  const request = new TextEncoder().encode(
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
  );
  for (let index = 0; index < 20; index++) {
    engine.connect({ port: listener.port }, {
      open: (connection) => connection.write(request),
      data(connection) {
        connection.write(request);
        if (meter.count()) engine.stop();
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
    if (meter.count()) engine.stop();
    else timer.reset();
  });
  engine.run();
}

const [, , what, trigger] = argv;
const mode = trigger === "level" ? "level" : "edge";
if (what === "events") readEvents(mode);
else if (what === "messages") messages(mode, false);
else if (what === "merged") messages(mode, true);
else if (what === "requests") requests();
else timers();
