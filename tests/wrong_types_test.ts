/** What JavaScript callers may hand over, whom no types hold back. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  bytesOf,
  engineTest,
  Recorder,
  runUntil,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

/** A value of any type, as that of a parameter. */
function as<T>(value: unknown): T {
  return value as T;
}

/** Asserts a TypeError, or another one, with this message. */
function assertRefused(
  run: () => unknown,
  message: string,
  kind: typeof TypeError | typeof RangeError = TypeError,
): void {
  assertEquals(assertThrows(run, kind).message, message);
}

engineTest(
  "what is not bytes is not written, and the connection goes on",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const { connection } = recorder;
    const wrong: [value: unknown, is: string][] = [
      ["text", "a string"],
      [undefined, "undefined"],
      [null, "null"],
      [5, "5"],
      [[1, 2], "a value of class Array"],
      [new ArrayBuffer(4), "a value of class ArrayBuffer"],
      [new Uint16Array(4), "a value of class Uint16Array"],
      [new DataView(new ArrayBuffer(4)), "a value of class DataView"],
      [Object.create(null), "a value of class null"],
    ];
    for (const [value, is] of wrong) {
      const message = `Cannot write: it must be a Uint8Array, and is ${is}`;
      assertRefused(() => connection.write(as(value)), message);
      assertRefused(
        () => connection.writev([bytesOf("x"), as(value)]),
        message,
      );
      if (value !== undefined) {
        assertRefused(() => connection.end(as(value)), message);
      }
    }
    for (const value of ["text", bytesOf("x"), 5, undefined]) {
      assertRefused(
        () => connection.writev(as(value)),
        `Cannot write: the chunks must be an array, and are ${value}`,
      );
    }
    assertEquals(connection.write(bytesOf("good")), 4);
    runUntil(engine, () => peer.receiveText() === "good");
  },
);

engineTest(
  "options and handlers that are none are refused, and open nothing",
  (engine) => {
    const ways: [name: string, run: (o: never, h: never) => unknown][] = [
      ["listen", (options, handlers) => engine.listen(options, handlers)],
      ["connect", (options, handlers) => engine.connect(options, handlers)],
      ["adopt", (options, handlers) => engine.adopt(0, handlers, options)],
    ];
    for (const [name, run] of ways) {
      for (const value of [null, 8080, "127.0.0.1:80", run]) {
        assertRefused(
          () => run(as(value), as({})),
          `Cannot ${name}: the options must be an object, and are ${value}`,
        );
      }
      for (const value of [undefined, null, 5, run]) {
        assertRefused(
          () => run(as({ port: 80 }), as(value)),
          `Cannot ${name}: the handlers must be an object, and are ${value}`,
        );
      }
      for (const value of [null, "echo", 5]) {
        assertRefused(
          () => run(as({ port: 80 }), as({ data: value })),
          `Cannot ${name}: the handler data must be a function, and is ${value}`,
        );
      }
    }
  },
);

engineTest(
  "addresses of another type are refused, and open nothing",
  (engine) => {
    const ways = [
      (options: unknown) => engine.listen(as(options), {}),
      (options: unknown) => engine.connect(as(options), {}),
    ];
    for (const run of ways) {
      for (const value of [5, null, ["a"], true]) {
        assertRefused(
          () => run({ path: value }),
          `Cannot use path: it must be a string, and is ${value}`,
        );
        assertRefused(
          () => run({ hostname: value, port: 80 }),
          `Cannot use hostname: it must be a string, and is ${value}`,
        );
      }
      for (const value of ["80", null, 1.5, -1, 65536, NaN]) {
        const message = assertThrows(() => run({ port: value }), RangeError)
          .message;
        assertEquals(message.endsWith(`to 65535, and is ${value}`), true);
      }
    }
  },
);

engineTest("handlers may be those of a class", (engine) => {
  class Greeter {
    readonly greeting = bytesOf("hello");
    open = (connection: { end(bytes: Uint8Array): void }) =>
      connection.end(this.greeting);
  }
  const listener = engine.listen({}, new Greeter());
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => peer.receiveText() === "hello");
});
