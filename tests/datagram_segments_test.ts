/** Datagrams that go as segments of one message, and arrive one by one. */
import { assert, assertEquals } from "@std/assert";
import { type Datagram, type DatagramOptions, Engine } from "../mod.ts";
import * as c from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/system_calls.ts";
import { DatagramEnd } from "./support/datagram_peer.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { bytesOf, settle } from "./support/net_engine.ts";

/** What a socket gave the kernel: the datagrams of each message, by call. */
interface Sends {
  readonly socket: Datagram;
  readonly engine: Engine;
  readonly calls: number[][];
  readonly errors: string[];
}

/** Whether a message of a vector is to be taken apart. */
function isSegmented(vector: c.MessageVector, index: number): boolean {
  const at = (index * c.mmsghdr.size + c.msghdr.msg_controllen) / 4;
  return vector.words[at] !== 0;
}

/** Hands out a socket whose sending is noted; `answer` may refuse it. */
function withSends(
  options: DatagramOptions,
  use: (sends: Sends) => void,
  answer: (vector: c.MessageVector, start: number) => number = () => 0,
  more: Partial<SystemCalls> = {},
): void {
  const calls: number[][] = [];
  const kernel = replacing({
    ...more,
    sendmmsg(fd, vector, start, count, flags) {
      const refused = answer(vector, start);
      if (refused < 0) return refused;
      const sent = c.sendmmsg(fd, vector, start, count, flags);
      const each = Array.from({ length: Math.max(sent, 0) }, (_, index) => {
        return isSegmented(vector, start + index)
          ? vector.length(start + index)
          : 1;
      });
      calls.push(each);
      return sent;
    },
  });
  using engine = new Engine({}, kernel);
  const errors: string[] = [];
  using socket = engine.datagram({ port: 0, ...options }, {
    error: (_datagram, { code }) => void errors.push(code),
  });
  use({ socket, engine, calls, errors });
}

/** Texts of four bytes. */
const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => `${1000 + index}`);

test("neighbours of one length to one address go as one message and arrive singly", () => {
  using end = new DatagramEnd();
  withSends({}, ({ socket, engine, calls }) => {
    for (const text of texts(50)) socket.send(bytesOf(text), end.address);
    settle(engine);
    // The kernel says the bytes of a message that it takes apart.
    assertEquals(calls, [[200]]);
    assertEquals(end.receiveAll(), texts(50));
  });
});

test("a connected socket's go so too", () => {
  using end = new DatagramEnd();
  withSends({ remote: { port: end.port } }, ({ socket, engine, calls }) => {
    for (const text of texts(3)) socket.send(bytesOf(text));
    settle(engine);
    assertEquals(calls, [[12]]);
    assertEquals(end.receiveAll(), texts(3));
  });
});

test("another length, another address, or none, begins another message", () => {
  using one = new DatagramEnd();
  using other = new DatagramEnd();
  withSends({}, ({ socket, engine, calls }) => {
    const send = (end: DatagramEnd, ...sent: string[]) => {
      for (const text of sent) socket.send(bytesOf(text), end.address);
    };
    send(one, "aa", "bb", "ccc", "ddd", "", "", "e");
    send(other, "f", "g");
    send(one, "h", "i", "j");
    settle(engine);
    assertEquals(calls, [[4, 6, 1, 1, 1, 2, 3]]);
    const toOne = ["aa", "bb", "ccc", "ddd", "", "", "e", "h", "i", "j"];
    assertEquals(one.receiveAll(), toOne);
    assertEquals(other.receiveAll(), ["f", "g"]);
  });
});

test("a message has 64 segments at the most, and datagrams too long for links none", () => {
  using end = new DatagramEnd();
  withSends({}, ({ socket, engine, calls }) => {
    for (const text of texts(130)) socket.send(bytesOf(text), end.address);
    socket.flush();
    assertEquals(end.receiveAll(), texts(130));
    for (let index = 0; index < 60; index++) {
      socket.send(new Uint8Array(1232), end.address);
    }
    for (let index = 0; index < 2; index++) {
      socket.send(new Uint8Array(1233), end.address);
    }
    settle(engine);
    assertEquals(calls, [[256, 256, 8], [51 * 1232, 9 * 1232, 1, 1]]);
    assertEquals(end.receiveAll().map((text) => text.length), [
      ...new Array(60).fill(1232),
      ...[1233, 1233],
    ]);
  });
});

test("IPv6 and addresses of IPv4 on it go so too", () => {
  using v6 = new DatagramEnd({ family: "ipv6", host: "::1", port: 0 });
  using v4 = new DatagramEnd();
  withSends({ hostname: "::" }, ({ socket, engine, calls, errors }) => {
    for (const end of [v6, v4]) {
      for (const text of texts(5)) socket.send(bytesOf(text), end.address);
    }
    settle(engine);
    assertEquals([calls, errors], [[[20, 20]], []]);
    assertEquals([v6.receiveAll(), v4.receiveAll()], [texts(5), texts(5)]);
  });
});

test("segments: false sends each by itself, and so does a kernel without them", () => {
  const old: Partial<SystemCalls> = {
    getsockopt: (fd, level, name, value) =>
      level === c.IPPROTO_UDP
        ? -c.ENOPROTOOPT
        : c.getsockopt(fd, level, name, value),
  };
  for (
    const [options, more] of [[{ segments: false }, {}], [{}, old]] as const
  ) {
    using end = new DatagramEnd();
    withSends(
      options,
      ({ socket, engine, calls }) => {
        for (const text of texts(4)) socket.send(bytesOf(text), end.address);
        settle(engine);
        assertEquals(calls, [[1, 1, 1, 1]]);
        assertEquals(end.receiveAll(), texts(4));
      },
      undefined,
      more,
    );
  }
});

for (const connected of [false, true]) {
  const kind = connected ? "connected" : "unconnected";

  test(`${kind}: where the network takes no segments (EIO) each goes by itself from then on`, () => {
    using end = new DatagramEnd();
    let refused = 0;
    const refuse = (vector: c.MessageVector, start: number) => {
      if (!isSegmented(vector, start)) return 0;
      refused++;
      return -c.EIO;
    };
    const options = connected ? { remote: { port: end.port } } : {};
    withSends(options, ({ socket, engine, calls, errors }) => {
      for (let round = 0; round < 3; round++) {
        for (const text of texts(3)) socket.send(bytesOf(text), end.address);
        settle(engine);
        assertEquals(end.receiveAll(), texts(3));
      }
      assertEquals(calls, [[1, 1, 1], [1, 1, 1], [1, 1, 1]]);
      assertEquals([errors, socket.errors], [[], 0]);
      assertEquals(refused, connected ? 2 : 1);
    }, refuse);
  });

  test(`${kind}: a message that is refused is tried singly, later ones whole again`, () => {
    using end = new DatagramEnd();
    let refusals = 0;
    const refuse = (vector: c.MessageVector, start: number) =>
      isSegmented(vector, start) && refusals-- > 0 ? -c.EINVAL : 0;
    const options = connected ? { remote: { port: end.port } } : {};
    withSends(options, ({ socket, engine, calls, errors }) => {
      refusals = 2;
      for (let round = 0; round < 2; round++) {
        for (const text of texts(3)) socket.send(bytesOf(text), end.address);
        settle(engine);
        refusals = 0;
      }
      assertEquals(calls, [[1, 1, 1], [12]]);
      assertEquals(end.receiveAll(), [...texts(3), ...texts(3)]);
      assertEquals(errors, []);
    }, refuse);
  });
}

test("each datagram of a refused message has its own error", () => {
  using end = new DatagramEnd();
  withSends({}, ({ socket, engine, errors }) => {
    const nowhere = { family: "ipv4", host: "127.0.0.1", port: 0 } as const;
    socket.send(bytesOf("before"), end.address);
    for (const text of texts(3)) socket.send(bytesOf(text), nowhere);
    socket.send(bytesOf("after"), end.address);
    settle(engine);
    assertEquals(errors, ["EINVAL", "EINVAL", "EINVAL"]);
    assertEquals(end.receiveAll(), ["before", "after"]);
    assert(!socket.closed);
  });
});

test("a refusal of an earlier datagram does not take a message apart", () => {
  using end = new DatagramEnd();
  let refusals = 1;
  const refuse = () => refusals-- > 0 ? -c.ECONNREFUSED : 0;
  withSends(
    { remote: { port: end.port } },
    ({ socket, engine, calls, errors }) => {
      for (const text of texts(3)) socket.send(bytesOf(text));
      settle(engine);
      assertEquals([calls, errors], [[[12]], ["ECONNREFUSED"]]);
      assertEquals(end.receiveAll(), texts(3));
    },
    refuse,
  );
});
