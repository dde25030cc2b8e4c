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

/** Values that are no bytes, and what messages call them. */
const NO_BYTES: [value: unknown, is: string][] = [
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

engineTest(
  "what is not bytes is not written, and the connection goes on",
  (engine) => {
    const recorder = new Recorder();
    const listener = engine.listen({}, recorder.handlers());
    using peer = Peer.connect(listener.port);
    runUntil(engine, () => recorder.has("open"));
    const { connection } = recorder;
    for (const [value, is] of NO_BYTES) {
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
      [
        "open a datagram socket",
        (options, handlers) => engine.datagram(options, handlers),
      ],
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
      (options: unknown) => engine.datagram(as(options), {}),
      (remote: unknown) => engine.datagram({ remote: as(remote) }, {}),
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

engineTest(
  "what is no datagram, or no peer, is not sent, and the socket goes on",
  (engine) => {
    const got: string[] = [];
    const socket = engine.datagram({}, {
      data: (_, chunk) => void got.push(new TextDecoder().decode(chunk)),
    });
    const self = { family: "ipv4", host: "127.0.0.1", port: socket.port };
    for (const [value, is] of NO_BYTES) {
      assertRefused(
        () => socket.send(as(value), as(self)),
        `Cannot send: it must be a Uint8Array, and is ${is}`,
      );
    }
    const noPeers: [value: unknown, is: string][] = [
      [null, "null"],
      [5, "5"],
      ["127.0.0.1:80", '"127.0.0.1:80"'],
      [{}, "{}"],
      [{ family: "ip" }, '{"family":"ip"}'],
      [{ family: "ipv4", port: 80 }, "undefined"],
      [{ family: "ipv4", host: 5, port: 80 }, "5"],
      [{ family: "ipv6", host: null, port: 80 }, "null"],
      [{ family: "unix" }, "undefined"],
      [{ family: "unix-abstract", name: ["a"] }, '["a"]'],
    ];
    for (const [value, is] of noPeers) {
      assertRefused(
        () => socket.send(bytesOf("x"), as(value)),
        `Cannot encode a socket address: the current value is ${is}`,
      );
    }
    assertEquals(socket.queued, 0);
    assertEquals(socket.send(bytesOf("good"), as(self)), true);
    runUntil(engine, () => got.length > 0);
    assertEquals(got, ["good"]);
  },
);

engineTest(
  "a datagram socket's options of another type are refused, and open nothing",
  (engine) => {
    for (const value of [null, 80, "127.0.0.1:80"]) {
      const is = typeof value === "string" ? "a string" : `${value}`;
      assertRefused(
        () => engine.datagram({ remote: as(value) }, {}),
        `Cannot use remote: it must be an object, and is ${is}`,
      );
    }
    const names = ["messageMax", "batchMax", "queueMax", "bufferMax", "fd"];
    for (const name of [...names, "receiveBufferBytes", "sendBufferBytes"]) {
      for (const value of ["1", null, 1.5, NaN]) {
        const message = assertThrows(
          () => engine.datagram(as({ [name]: value }), {}),
          RangeError,
        ).message;
        assertEquals(message.startsWith(`Cannot use ${name}: `), true, message);
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
