/** Descriptors and credentials over unix sockets, to processes of others. */
import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Engine,
  peerCredentials,
  receiveDescriptors,
  sendDescriptors,
  SystemError,
} from "../mod.ts";
import * as c from "../ffi/mod.ts";
import { openDescriptors, test } from "./support/descriptors.ts";
import { isInstalled } from "./support/foreign_client.ts";
import { bytesOf, engineTest, runUntil } from "./support/net_engine.ts";
import { optionValue, Peer, PeerListener } from "./support/net_peer.ts";
import { Program } from "./support/process.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Two connected unix sockets of a type, closed afterwards. */
function withPair(
  use: (left: number, right: number) => void,
  type: number = c.SOCK_STREAM,
): void {
  const pair = new Int32Array(2);
  const flags = c.SOCK_CLOEXEC | c.SOCK_NONBLOCK;
  c.check(c.socketpair(c.AF_UNIX, type | flags, 0, pair), "socketpair");
  try {
    use(pair[0], pair[1]);
  } finally {
    for (const fd of pair) c.close(fd);
  }
}

/** A pipe with something in it; its reading end is to be passed. */
function withPipe(use: (reader: number, writer: number) => void): void {
  const pipe = new Int32Array(2);
  c.check(c.pipe2(pipe, c.O_CLOEXEC), "pipe2");
  try {
    use(pipe[0], pipe[1]);
  } finally {
    for (const fd of pipe) c.close(fd);
  }
}

for (const [name, type] of [["stream", 1], ["datagram", 2]] as const) {
  test(`a descriptor passes a ${name} socket as a duplicate that closes on execve`, () => {
    withPair((left, right) => {
      withPipe((reader, writer) => {
        assertEquals(sendDescriptors(left, bytesOf("pipe"), [reader]), 4);
        const buffer = new Uint8Array(16);
        const received = receiveDescriptors(right, buffer);
        assert(received !== null);
        assertEquals(textOf(buffer.subarray(0, received.length)), "pipe");
        assertEquals(received.truncated, false);
        const [duplicate] = received.descriptors;
        assertEquals(received.descriptors.length, 1);
        assert(duplicate !== reader);
        assertEquals(c.fcntl(duplicate, c.F_GETFD, 0), c.FD_CLOEXEC);
        c.check(c.write(writer, bytesOf("through")), "write");
        const count = c.check(c.read(duplicate, buffer), "read");
        assertEquals(textOf(buffer.subarray(0, count)), "through");
        c.close(duplicate);
        // One's own is still open.
        assertEquals(c.fcntl(reader, c.F_GETFD, 0), c.FD_CLOEXEC);
      });
    }, type);
  });
}

test("253 descriptors go in one message, in order, and come whole", () => {
  withPair((left, right) => {
    const many = Array.from({ length: 253 }, (_, index) => {
      return c.check(c.eventfd(index, c.EFD_CLOEXEC), "eventfd");
    });
    assertEquals(sendDescriptors(left, bytesOf("many"), many), 4);
    const received = receiveDescriptors(right, new Uint8Array(8));
    const { descriptors = [] } = received ?? {};
    const values = descriptors.map((fd) => {
      const value = new Uint8Array(8);
      // A counter of 0 would block.
      return fd === descriptors[0] || c.read(fd, value) === 8 ? value[0] : -1;
    });
    assertEquals(values, many.map((_, index) => index));
    for (const fd of [...many, ...descriptors]) c.close(fd);
  });
});

test("a stream is read up to the message with descriptors, and they stay together", () => {
  withPair((left, right) => {
    withPipe((reader, writer) => {
      c.check(c.write(left, bytesOf("before,")), "write");
      sendDescriptors(left, bytesOf("first,"), [reader]);
      sendDescriptors(left, bytesOf("second,"), [writer, writer]);
      c.check(c.write(left, bytesOf("after")), "write");
      const seen: [string, number][] = [];
      for (;;) {
        const buffer = new Uint8Array(64);
        const received = receiveDescriptors(right, buffer);
        if (received === null) break;
        const { length, descriptors } = received;
        seen.push([textOf(buffer.subarray(0, length)), descriptors.length]);
        for (const fd of descriptors) c.close(fd);
      }
      const total = seen.map(([text]) => text).join("");
      assertEquals(total, "before,first,second,after");
      const withSome = seen.filter(([, count]) => count > 0);
      assertEquals(withSome.map(([, count]) => count), [1, 2]);
      assert(withSome[0][0].includes("first,"));
      assert(withSome[1][0].startsWith("second,"));
    });
  });
});

test("nothing to receive is null, the end of a stream is a length of 0", () => {
  withPair((left, right) => {
    assertEquals(receiveDescriptors(right, new Uint8Array(8)), null);
    c.check(c.shutdown(left, c.SHUT_WR), "shutdown");
    const end = receiveDescriptors(right, new Uint8Array(8));
    assertEquals(end, { length: 0, descriptors: [], truncated: false });
  });
});

test("a full socket takes nothing, and no descriptor leaks", () => {
  withPair((left, right) => {
    withPipe((reader) => {
      const chunk = new Uint8Array(65536);
      while (c.send(left, chunk, c.MSG_DONTWAIT) > 0);
      const before = openDescriptors().size;
      assertEquals(sendDescriptors(left, bytesOf("x"), [reader]), 0);
      assertEquals(openDescriptors().size, before);
      while (c.recv(right, chunk, c.MSG_DONTWAIT) > 0);
      assertEquals(sendDescriptors(left, bytesOf("x"), [reader]), 1);
    });
  });
});

test("a datagram that does not fit is cut and says so; its descriptors are whole", () => {
  withPair((left, right) => {
    withPipe((reader) => {
      sendDescriptors(left, bytesOf("too long"), [reader]);
      const buffer = new Uint8Array(3);
      const received = receiveDescriptors(right, buffer);
      assertEquals(received?.length, 3);
      assertEquals(received?.truncated, true);
      assertEquals(received?.descriptors.length, 1);
      for (const fd of received?.descriptors ?? []) c.close(fd);
    });
  }, c.SOCK_DGRAM);
});

test("if not all descriptors fit, those that came are closed and it throws", () => {
  withPair((left, right) => {
    withPipe((reader) => {
      // The sender's credentials come as well, and take up room.
      c.setsockopt(right, c.SOL_SOCKET, c.SO_PASSCRED, optionValue(1));
      sendDescriptors(left, bytesOf("x"), new Array(253).fill(reader));
      const before = openDescriptors().size;
      const error = assertThrows(
        () => receiveDescriptors(right, new Uint8Array(8)),
        SystemError,
      );
      assertEquals([error.code, error.syscall], ["EMSGSIZE", "recvmsg"]);
      assertEquals(openDescriptors().size, before);
      // Fewer fit beside them.
      sendDescriptors(left, bytesOf("y"), [reader]);
      const received = receiveDescriptors(right, new Uint8Array(8));
      assertEquals(received?.descriptors.length, 1);
      for (const fd of received?.descriptors ?? []) c.close(fd);
    });
  });
});

test("bad arguments are refused, and name what is wrong", () => {
  withPair((left) => {
    const one = bytesOf("x");
    const range = (descriptors: number[], bytes = one) => {
      assertThrows(() => sendDescriptors(left, bytes, descriptors), RangeError);
    };
    range([]);
    range(new Array(254).fill(0));
    range([0], new Uint8Array(0));
    assertThrows(() => sendDescriptors(left, one, [1.5]), TypeError);
    const code = (run: () => void) => assertThrows(run, SystemError).code;
    assertEquals(code(() => sendDescriptors(left, one, [999_999])), "EBADF");
    assertEquals(code(() => sendDescriptors(999_999, one, [0])), "EBADF");
    assertEquals(
      code(() => receiveDescriptors(999_999, new Uint8Array(1))),
      "EBADF",
    );
    assertEquals(code(() => peerCredentials(999_999)), "EBADF");
    withPipe((reader) => {
      assertEquals(code(() => sendDescriptors(reader, one, [0])), "ENOTSOCK");
      assertEquals(code(() => peerCredentials(reader)), "ENOTSOCK");
    });
  });
  withPair((left, right) => {
    c.shutdown(right, c.SHUT_RD);
    const error = assertThrows(
      () => sendDescriptors(left, bytesOf("x"), [left]),
      SystemError,
    );
    assertEquals([error.code, error.fd], ["EPIPE", left]);
  });
});

test("peerCredentials() tells of this process at the other end of a pair", () => {
  withPair((left) => {
    const { pid, uid, gid } = peerCredentials(left);
    assertEquals([pid, uid, gid], [
      process.pid,
      process.getuid?.(),
      process.getgid?.(),
    ]);
  });
});

test("peerCredentials() throws ENOTCONN where there is no peer to know", () => {
  const unix = c.socket(c.AF_UNIX, c.SOCK_STREAM | c.SOCK_CLOEXEC);
  using listener = new PeerListener();
  using tcp = Peer.connect(listener.port);
  using accepted = listener.accept();
  for (const fd of [unix, tcp.fd, accepted.fd]) {
    const error = assertThrows(() => peerCredentials(fd), SystemError);
    assertEquals([error.code, error.fd], ["ENOTCONN", fd]);
  }
  c.close(unix);
});

const PYTHON = `
import array, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect("\\0" + sys.argv[1])
# A connection accepted elsewhere: answer its client.
message, fds, _, _ = socket.recv_fds(s, 100, 10)
assert message == b"take this", message
client = socket.socket(fileno=fds[0])
client.sendall(b"from python: " + client.recv(100).upper())
client.close()
# And one of this process goes back.
reader, writer = os.pipe()
os.write(writer, b"a pipe of python")
socket.send_fds(s, [b"your pipe"], [reader])
s.recv(1)
`;

engineTest(
  "python3 serves a connection that it was passed, and passes a pipe back",
  async (engine) => {
    if (!await isInstalled("python3")) {
      console.log("python3 is not installed: not shown");
      return;
    }
    const name = crypto.randomUUID();
    let accepted = -1;
    let control = -1;
    const log: unknown[] = [];
    const web = engine.listen({ port: 0 }, {
      open(connection) {
        accepted = connection.detach();
      },
    });
    const door = engine.listen({ path: `\0${name}` }, {
      open(connection) {
        log.push(peerCredentials(connection).pid);
        control = connection.detach();
      },
    });
    await using python = new Program("python3", ["-c", PYTHON, name]);
    using client = Peer.connect(web.port);
    client.send("hello");
    runUntil(engine, () => control >= 0 && accepted >= 0);
    assertEquals(log, [python.pid]);

    const buffer = new Uint8Array(100);
    const pipes: number[] = [];
    const event = engine.register(control, {
      read(event) {
        const received = receiveDescriptors(event, buffer);
        if (received === null) {
          event.readReady = false;
          return;
        }
        log.push(textOf(buffer.subarray(0, received.length)));
        pipes.push(...received.descriptors);
      },
    });
    event.enableRead();
    assertEquals(sendDescriptors(event, bytesOf("take this"), [accepted]), 9);
    c.close(accepted);
    runUntil(engine, () => pipes.length === 1);
    assertEquals(log, [python.pid, "your pipe"]);
    const count = c.check(c.read(pipes[0], buffer), "read");
    assertEquals(textOf(buffer.subarray(0, count)), "a pipe of python");
    c.close(pipes[0]);
    let answer = "EAGAIN";
    runUntil(engine, () => {
      if (answer === "EAGAIN") answer = client.receiveText();
      return answer !== "EAGAIN";
    });
    assertEquals(answer, "from python: HELLO");
    c.check(c.write(control, bytesOf("x")), "write");
    event.close();
    door.close();
    web.close();
    const { code, stderr } = await python.finished();
    assertEquals([code, stderr], [0, ""]);
  },
);

test("a connection with bytes buffered passes no descriptor before them", () => {
  using engine = new Engine();
  const pair = new Int32Array(2);
  c.check(
    c.socketpair(c.AF_UNIX, c.SOCK_STREAM | c.SOCK_CLOEXEC, 0, pair),
    "socketpair",
  );
  const connection = engine.adopt(pair[0], {});
  engine.turn(0);
  assertEquals(sendDescriptors(connection, bytesOf("x"), [pair[1]]), 1);
  while (connection.bufferedBytes === 0) {
    connection.write(new Uint8Array(65536));
  }
  assertEquals(sendDescriptors(connection, bytesOf("x"), [pair[1]]), 0);
  connection.close();
  engine.turn(0);
  c.close(pair[1]);
});
