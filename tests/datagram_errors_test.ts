/** What goes wrong with datagrams, and that it harms no others. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Datagram,
  type DatagramHandlers,
  Engine,
  type SocketAddress,
  SystemError,
} from "../mod.ts";
import * as c from "../ffi/mod.ts";
import { closedUdpPort, DatagramEnd } from "./support/datagram_peer.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import {
  bytesOf,
  engineTest,
  runUntil,
  settle,
  throwingTest,
  triggerTest,
} from "./support/net_engine.ts";
import { loopback } from "./support/net_peer.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Handlers that note each call, such as `error ECONNREFUSED`. */
function noting(log: string[], own: DatagramHandlers = {}): DatagramHandlers {
  return {
    data(datagram, chunk, from, length) {
      log.push(`data ${textOf(chunk)}`);
      own.data?.(datagram, chunk, from, length);
    },
    drain(datagram) {
      log.push("drain");
      own.drain?.(datagram);
    },
    error(datagram, error) {
      const at = error.address === undefined ? "" : ` ${error.address}`;
      log.push(`error ${error.code}${at}`);
      own.error?.(datagram, error);
    },
    close(datagram) {
      log.push("close");
      own.close?.(datagram);
    },
  };
}

engineTest(
  "a refused datagram is told once, and the socket goes on",
  (engine) => {
    const log: string[] = [];
    const port = closedUdpPort();
    const socket = engine.datagram({ remote: { port } }, noting(log));
    socket.send(bytesOf("nobody"));
    runUntil(engine, () => log.length > 0);
    settle(engine);
    assertEquals(log, ["error ECONNREFUSED"]);
    assertEquals([socket.errors, socket.closed], [1, false]);
    // Somebody comes.
    using end = new DatagramEnd(loopback(port));
    socket.send(bytesOf("now"));
    settle(engine);
    assertEquals(end.receiveAll(), ["now"]);
    end.connect(socket.localAddress as SocketAddress);
    end.send("answer");
    runUntil(engine, () => log.length > 1);
    assertEquals(log, ["error ECONNREFUSED", "data answer"]);
    socket.close();
  },
);

engineTest("a refusal met while sending loses no datagram", (engine) => {
  const log: string[] = [];
  const port = closedUdpPort();
  const socket = engine.datagram({ remote: { port } }, noting(log));
  socket.pause();
  socket.send(bytesOf("nobody"));
  socket.flush();
  using end = new DatagramEnd(loopback(port));
  // The error is still with the socket, and the next send meets it.
  for (const text of ["a", "b", "c"]) socket.send(bytesOf(text));
  settle(engine);
  assertEquals(end.receiveAll(), ["a", "b", "c"]);
  assertEquals(log, ["error ECONNREFUSED"]);
  socket.close();
});

engineTest("without an error handler errors are counted only", (engine) => {
  const port = closedUdpPort();
  const socket = engine.datagram({ remote: { port } }, {});
  socket.send(bytesOf("nobody"));
  runUntil(engine, () => socket.errors === 1);
  assertEquals(socket.closed, false);
  socket.close();
});

for (const connected of [true, false]) {
  const kind = connected ? "connected" : "unconnected";
  engineTest(
    `${kind}: a datagram too long for the network fails alone`,
    (engine) => {
      using end = new DatagramEnd();
      const log: string[] = [];
      const remote = { port: end.port };
      const options = connected ? { remote } : { port: 0 };
      const socket = engine.datagram(options, noting(log));
      const to = connected ? [] as const : [end.address] as const;
      const texts = ["first", "second", "third"];
      for (const text of texts) {
        socket.send(bytesOf(text), ...to);
        socket.send(new Uint8Array(65508), ...to);
      }
      settle(engine);
      assertEquals(end.receiveAll(), texts);
      const error = connected
        ? "error EMSGSIZE"
        : `error EMSGSIZE 127.0.0.1:${end.port}`;
      assertEquals(log, [error, error, error]);
      assertEquals([socket.queued, socket.errors], [0, 3]);
      socket.close();
    },
  );
}

engineTest(
  "an address of another family fails its datagram alone, and is named",
  (engine) => {
    using end = new DatagramEnd();
    const log: string[] = [];
    const socket = engine.datagram({ port: 0 }, noting(log));
    socket.send(bytesOf("a"), end.address);
    socket.send(bytesOf("b"), { family: "ipv6", host: "::1", port: 9 });
    socket.send(bytesOf("c"), { ...loopback(9), port: 0 } as SocketAddress);
    socket.send(bytesOf("d"), end.address);
    settle(engine);
    assertEquals(end.receiveAll(), ["a", "d"]);
    assertEquals(log, [
      "error EAFNOSUPPORT [::1]:9",
      "error EINVAL 127.0.0.1:0",
    ]);
    socket.close();
  },
);

engineTest(
  "a thousand failures at once are counted, and 64 of them told",
  (engine) => {
    const log: string[] = [];
    const socket = engine.datagram({ port: 0 }, noting(log));
    const nowhere = { ...loopback(9), port: 0 } as SocketAddress;
    for (let index = 0; index < 1000; index++) {
      assert(socket.send(bytesOf("x"), nowhere));
    }
    settle(engine);
    assertEquals([socket.errors, log.length], [1000, 64]);
    // From here on they are told again.
    socket.send(bytesOf("x"), nowhere);
    settle(engine);
    assertEquals(log.length, 65);
    socket.close();
  },
);

engineTest(
  "errors are told before close, none after, and not inside a verb",
  (engine) => {
    const log: string[] = [];
    const socket = engine.datagram({ port: 0 }, noting(log));
    const nowhere = { ...loopback(9), port: 0 } as SocketAddress;
    socket.send(bytesOf("x"), nowhere);
    socket.flush();
    socket.send(bytesOf("x"), nowhere);
    socket.close();
    assertEquals(log, []);
    settle(engine);
    assertEquals(log, [
      "error EINVAL 127.0.0.1:0",
      "error EINVAL 127.0.0.1:0",
      "close",
    ]);
  },
);

engineTest(
  "a unix receiver that is gone fails its datagrams, and others get theirs",
  (engine) => {
    const name = () => `\0${crypto.randomUUID()}`;
    const log: string[] = [];
    const address = (path: string): SocketAddress => {
      return { family: "unix-abstract", name: path.slice(1) };
    };
    const [gone, here] = [name(), name()];
    using end = new DatagramEnd(address(here));
    const socket = engine.datagram({ path: name() }, noting(log));
    for (const text of ["a", "b"]) {
      socket.send(bytesOf(text), address(gone));
      socket.send(bytesOf(text), address(here));
    }
    settle(engine);
    assertEquals(end.receiveAll(), ["a", "b"]);
    const error = `error ECONNREFUSED @${gone.slice(1)}`;
    assertEquals(log, [error, error]);
    socket.close();
  },
);

engineTest(
  "a connected unix socket whose peer is gone tells each datagram's fate",
  (engine) => {
    const log: string[] = [];
    const end = new DatagramEnd({ family: "unix-unnamed" });
    const { name } = end.address as { name: string };
    const socket = engine.datagram(
      { remote: { path: `\0${name}` } },
      noting(log),
    );
    socket.send(bytesOf("a"));
    settle(engine);
    assertEquals(end.receiveAll(), ["a"]);
    end.close();
    socket.send(bytesOf("b"));
    settle(engine);
    assertEquals(log, ["error ECONNREFUSED"]);
    assertEquals(socket.closed, false);
    socket.close();
  },
);

throwingTest(
  "a handler that throws loses nothing of the batch",
  (engine, errors) => {
    const got: string[] = [];
    const socket = engine.datagram({ port: 0 }, {
      data(_datagram, chunk) {
        const text = textOf(chunk);
        got.push(text);
        if (text === "2" || text === "4") throw new Error(text);
      },
      close: () => void got.push("close"),
    });
    using end = DatagramEnd.to(socket.port);
    for (const text of ["1", "2", "3", "4", "5"]) end.send(text);
    runUntil(engine, () => got.length === 5);
    assertEquals(got, ["1", "2", "3", "4", "5"]);
    assertEquals(errors.map((error) => (error as Error).message), ["2", "4"]);
    socket.close();
    settle(engine);
    assertEquals(got.at(-1), "close");
  },
);

throwingTest(
  "error, drain and close handlers that throw disturb nothing",
  (engine, errors) => {
    using end = new DatagramEnd();
    const thrown = (what: string) => () => {
      throw new Error(what);
    };
    const socket = engine.datagram({ port: 0 }, {
      error: thrown("error"),
      close: thrown("close"),
    });
    const nowhere = { ...loopback(9), port: 0 } as SocketAddress;
    socket.send(bytesOf("a"), end.address);
    socket.send(bytesOf("b"), nowhere);
    socket.send(bytesOf("c"), end.address);
    socket.send(bytesOf("d"), nowhere);
    settle(engine);
    assertEquals(end.receiveAll(), ["a", "c"]);
    socket.close();
    settle(engine);
    const messages = errors.map((error) => (error as Error).message);
    assertEquals(messages, ["error", "error", "close"]);
  },
);

/** A socket, and a kernel that answers receiving as the test says. */
function withReceiving(
  answers: number[],
  use: (engine: Engine, socket: Datagram, log: string[]) => void,
  trigger: "edge" | "level",
): void {
  const calls = replacing({
    recvmmsg(fd, vector, count, flags) {
      const answer = answers.shift();
      return answer ?? c.recvmmsg(fd, vector, count, flags);
    },
  });
  using engine = new Engine({ trigger }, calls);
  const log: string[] = [];
  using socket = engine.datagram({ port: 0 }, noting(log));
  use(engine, socket, log);
}

triggerTest(
  "errors of the network and interruptions stop no receiving",
  (trigger) => {
    const answers = [-c.EINTR, -c.EHOSTUNREACH, -c.ENOMEM, -c.EINTR];
    withReceiving(answers, (engine, socket, log) => {
      using end = DatagramEnd.to(socket.port);
      end.send("x");
      runUntil(engine, () => log.length === 3);
      assertEquals(log.sort(), [
        "data x",
        "error EHOSTUNREACH",
        "error ENOMEM",
      ]);
    }, trigger);
  },
);

triggerTest(
  "a socket that can't receive any more closes after 16 errors",
  (trigger) => {
    withReceiving(new Array(100).fill(-c.EPERM), (engine, socket, log) => {
      using end = DatagramEnd.to(socket.port);
      end.send("x");
      runUntil(engine, () => log.at(-1) === "close");
      assertEquals(log, [...new Array(16).fill("error EPERM"), "close"]);
    }, trigger);
  },
);

triggerTest("a socket whose descriptor is gone closes at once", (trigger) => {
  withReceiving([-c.EBADF], (engine, socket, log) => {
    using end = DatagramEnd.to(socket.port);
    end.send("x");
    runUntil(engine, () => log.at(-1) === "close");
    assertEquals(log, ["error EBADF", "close"]);
  }, trigger);
});

test("a change that the kernel refuses is told, and closes the socket", () => {
  const calls = replacing({ epoll_ctl: () => -c.ENOSPC });
  using engine = new Engine({}, calls);
  const log: string[] = [];
  const socket = engine.datagram({ port: 0 }, noting(log));
  engine.turn(0);
  settle(engine);
  assertEquals([log, socket.closed], [["error ENOSPC", "close"], true]);
});

test("failing to make a socket leaves nothing open, whatever fails", () => {
  for (const name of ["socket", "setsockopt", "bind", "connect"] as const) {
    const calls = replacing({ [name]: () => -c.ENOBUFS });
    using engine = new Engine({}, calls);
    const options = { port: 0, reusePort: true, remote: { port: 9 } };
    const error = assertThrows(
      () => engine.datagram(options, {}),
      SystemError,
    );
    assertEquals([error.code, error.syscall.startsWith(name)], [
      "ENOBUFS",
      true,
    ]);
  }
});
