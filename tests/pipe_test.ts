/** Pipes: a writer that is gone, and a reader that is gone. */
import { assertEquals } from "@std/assert";
import { check, close, EPIPE, O_NONBLOCK, pipe2, write } from "../ffi/mod.ts";
import type { Engine, FdEvent } from "../mod.ts";
import { bytesOf, engineTest, runUntil, settle } from "./support/net_engine.ts";

/** A pipe's reading and writing end. */
function pipe(): [number, number] {
  const fds = new Int32Array(2);
  check(pipe2(fds, O_NONBLOCK), "pipe2");
  return [fds[0] as number, fds[1] as number];
}

/** Reads all that is there, and notes it and the end of file. */
function reader(log: string[]): (event: FdEvent) => void {
  const buffer = new Uint8Array(1024);
  return (event) => {
    for (;;) {
      const count = event.read(buffer);
      if (count < 0) return;
      log.push(count === 0 ? "end" : text(buffer.subarray(0, count)));
      if (count > 0) continue;
      event.close();
      return;
    }
  };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

engineTest(
  "a reader of a pipe gets the data and the end when the writer is gone",
  (engine) => {
    const [input, output] = pipe();
    const log: string[] = [];
    engine.register(input, { read: reader(log) }).enableRead();
    write(output, bytesOf("data"));
    close(output);
    runUntil(engine, () => log.includes("end"));
    assertEquals(log, ["data", "end"]);
  },
);

engineTest(
  "a reader that has read all hears of the writer's end, which is a HUP without IN",
  (engine) => {
    const [input, output] = pipe();
    const log: string[] = [];
    engine.register(input, { read: reader(log) }).enableRead();
    write(output, bytesOf("data"));
    runUntil(engine, () => log.includes("data"));
    settle(engine);
    close(output);
    runUntil(engine, () => log.includes("end"));
    assertEquals(log, ["data", "end"]);
  },
);

engineTest(
  "a reader with an error handler is told there of a HUP without IN",
  (engine) => {
    const [input, output] = pipe();
    const log: string[] = [];
    const event = engine.register(input, {
      read: reader(log),
      error: (event, error) => {
        log.push(`error ${error}`);
        reader(log)(event);
      },
    });
    event.enableRead();
    settle(engine);
    close(output);
    runUntil(engine, () => log.includes("end"));
    assertEquals(log, ["error null", "end"]);
  },
);

/** A write end whose handler notes what write() gives. */
function writer(engine: Engine, output: number, log: number[]): FdEvent {
  const event = engine.register(output, {
    write(event) {
      log.push(event.write(bytesOf("x")));
      event.blockWrite();
    },
  });
  event.enableWrite();
  return event;
}

engineTest(
  "a writer whose reader is gone gets EPIPE, and the process lives",
  (engine) => {
    const [input, output] = pipe();
    const log: number[] = [];
    const event = writer(engine, output, log);
    runUntil(engine, () => log.length === 1);
    close(input);
    event.enableWrite();
    runUntil(engine, () => log.length === 2);
    assertEquals(log, [1, -EPIPE]);
    event.close();
  },
);

engineTest(
  "a writer that waits for room hears that its reader is gone",
  (engine) => {
    const [input, output] = pipe();
    const log: number[] = [];
    while (write(output, new Uint8Array(4096)) > 0);
    const event = writer(engine, output, log);
    settle(engine);
    assertEquals(log, []);
    close(input);
    runUntil(engine, () => log.length === 1);
    assertEquals(log, [-EPIPE]);
    event.close();
  },
);
