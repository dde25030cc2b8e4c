/** Messages through the raw layer, on the real kernel. */
import { assertEquals, assertThrows } from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** Two connected unix datagram sockets. */
function withPair(use: (left: number, right: number) => void): void {
  const pair = new Int32Array(2);
  const type = c.SOCK_DGRAM | c.SOCK_CLOEXEC | c.SOCK_NONBLOCK;
  c.check(c.socketpair(c.AF_UNIX, type, 0, pair), "socketpair");
  try {
    use(pair[0], pair[1]);
  } finally {
    for (const fd of pair) c.close(fd);
  }
}

/** Room for messages of 100 bytes, each after an address of 128. */
function receiver(messagesMax: number): c.MessageVector {
  const vector = new c.MessageVector(
    messagesMax,
    new Uint8Array(messagesMax * 228),
  );
  for (let index = 0; index < messagesMax; index++) {
    vector.set(index, index * 228, 128, index * 228 + 128, 100);
  }
  return vector;
}

test("sendmmsg() and recvmmsg() move many messages, and tell their lengths", () => {
  withPair((left, right) => {
    const sent = new c.MessageVector(4, text("onetwothreefour"));
    for (
      const [index, [at, length]] of [[0, 3], [3, 3], [6, 5], [11, 4]].entries()
    ) {
      sent.set(index, 0, 0, at, length);
    }
    assertEquals(c.sendmmsg(left, sent, 0, 2), 2);
    assertEquals(c.sendmmsg(left, sent, 2, 2), 2);
    const received = receiver(8);
    assertEquals(c.recvmmsg(right, received, 3), 3);
    const lengths = [0, 1, 2].map((index) => received.length(index));
    assertEquals(lengths, [3, 3, 5]);
    assertEquals([0, 1].map((index) => received.nameLength(index)), [0, 0]);
    const second = received.bytes.subarray(228 + 128, 228 + 131);
    assertEquals(new TextDecoder().decode(second), "two");
    assertEquals(c.recvmmsg(right, received, 8), 1);
    assertEquals(c.recvmmsg(right, received, 8), -c.EAGAIN);
  });
});

test("restoreNames() gives addresses their room again", () => {
  const name = () => ({ family: "unix-unnamed" }) as const;
  const type = c.SOCK_DGRAM | c.SOCK_CLOEXEC;
  const fds = [0, 1].map(() => {
    const fd = c.check(c.socket(c.AF_UNIX, type), "socket");
    c.check(c.bind(fd, c.encodeAddress(name())), "bind");
    return fd;
  });
  const own = new Uint8Array(128);
  const length = c.check(c.getsockname(fds[0], own), "getsockname");
  const peer = new Uint8Array(128);
  const peerLength = c.check(c.getsockname(fds[1], peer), "getsockname");
  c.check(c.connect(fds[0], peer.subarray(0, peerLength)), "connect");
  const received = receiver(1);
  for (let round = 0; round < 3; round++) {
    c.check(c.send(fds[0], text("x")), "send");
    assertEquals(c.recvmmsg(fds[1], received, 1), 1);
    assertEquals(received.nameLength(0), length);
    assertEquals(received.bytes.slice(0, length), own.slice(0, length));
    received.restoreNames(1);
    assertEquals(received.nameLength(0), 128);
  }
  for (const fd of fds) c.close(fd);
});

test("a message that does not fit says MSG_TRUNC, and with that flag its length", () => {
  withPair((left, right) => {
    const received = receiver(2);
    for (const flags of [0, c.MSG_TRUNC]) {
      c.check(c.send(left, new Uint8Array(5000)), "send");
      assertEquals(c.recvmmsg(right, received, 2, flags), 1);
      assertEquals(received.flags(0) & c.MSG_TRUNC, c.MSG_TRUNC);
      assertEquals(received.length(0), flags === 0 ? 100 : 5000);
    }
  });
});

test("messages outside the memory, or the vector, are refused", () => {
  const vector = new c.MessageVector(2, new Uint8Array(100));
  vector.set(1, 0, 50, 50, 50);
  for (
    const [index, ...place] of [
      [2, 0, 0, 0, 0],
      [0, 0, 0, 0, 101],
      [0, 51, 50, 0, 0],
      [0, 0, 0, 100, 1],
    ]
  ) {
    const [name, nameLength, data, length] = place;
    assertThrows(
      () => vector.set(index, name, nameLength, data, length),
      RangeError,
    );
  }
  assertThrows(() => vector.set(0, -1, 0, 0, 0), TypeError);
  assertThrows(() => vector.set(0, 0, 0, 0.5, 1), TypeError);
  assertThrows(() => new c.MessageVector(0, new Uint8Array(1)), RangeError);
  assertThrows(() => c.recvmmsg(0, vector, 3), RangeError);
  assertThrows(() => c.sendmmsg(0, vector, 1, 2), RangeError);
  assertThrows(() => c.sendmmsg(0, vector, -1, 1), TypeError);
});

test("calls on what is no socket return the kernel's error", () => {
  const vector = receiver(1);
  const outcome = new Int32Array(2);
  const none = new Uint8Array(1);
  const pipe = new Int32Array(2);
  c.check(c.pipe2(pipe, c.O_CLOEXEC), "pipe2");
  for (const [fd, errno] of [[pipe[0], c.ENOTSOCK], [999_999, c.EBADF]]) {
    assertEquals(c.recvmmsg(fd, vector, 1), -errno);
    assertEquals(c.sendmmsg(fd, vector, 0, 1), -errno);
    assertEquals(c.sendmsg(fd, none, none.subarray(1)), -errno);
    assertEquals(c.recvmsg(fd, none, none, outcome), -errno);
  }
  for (const fd of pipe) c.close(fd);
});

test("descriptors are encoded as the kernel gives them back", () => {
  withPair((left, right) => {
    for (const count of [1, 2, 3, 253]) {
      const control = c.encodeDescriptors(new Array(count).fill(left));
      assertEquals(control.length, c.descriptorsSpace(count));
      assertEquals(c.sendmsg(left, text("x"), control), 1);
      const room = new Uint8Array(c.descriptorsSpace(253));
      const outcome = new Int32Array(2);
      const data = new Uint8Array(4);
      const flags = c.MSG_CMSG_CLOEXEC;
      assertEquals(c.recvmsg(right, data, room, outcome, flags), 1);
      assertEquals(outcome[1] & c.MSG_CTRUNC, 0);
      const descriptors = c.decodeDescriptors(room, outcome[0]);
      assertEquals(descriptors.length, count);
      for (const fd of descriptors) assertEquals(c.close(fd), 0);
    }
  });
});

test("control data that were cut give the descriptors that fitted", () => {
  withPair((left, right) => {
    c.sendmsg(left, text("x"), c.encodeDescriptors([left, left, left, left]));
    const room = new Uint8Array(c.descriptorsSpace(2));
    const outcome = new Int32Array(2);
    assertEquals(c.recvmsg(right, new Uint8Array(4), room, outcome), 1);
    assertEquals(outcome[1] & c.MSG_CTRUNC, c.MSG_CTRUNC);
    const descriptors = c.decodeDescriptors(room, outcome[0]);
    assertEquals(descriptors.length, 2);
    for (const fd of descriptors) assertEquals(c.close(fd), 0);
  });
});

test("decodeDescriptors() passes over other control data, and stops at nonsense", () => {
  const credentials = new Uint8Array(32);
  const view = new DataView(credentials.buffer);
  view.setUint32(0, 28, true);
  view.setInt32(8, c.SOL_SOCKET, true);
  view.setInt32(12, c.SCM_CREDENTIALS, true);
  const both = new Uint8Array([...credentials, ...c.encodeDescriptors([5, 6])]);
  assertEquals(c.decodeDescriptors(both, both.length), [5, 6]);
  assertEquals(c.decodeDescriptors(both, 32), []);
  assertEquals(c.decodeDescriptors(new Uint8Array(64), 64), []);
  assertEquals(c.decodeDescriptors(both, 0), []);
});

test("interfaceIndex() knows the loopback interface by name and number", () => {
  assertEquals([c.interfaceIndex("lo"), c.interfaceIndex(1)], [1, 1]);
  assertEquals(c.interfaceIndex(0), 0);
  assertThrows(() => c.interfaceIndex("nosuch0"), TypeError, "nosuch0");
  assertThrows(() => c.interfaceIndex(-1), TypeError);
});

test("encodeMembership() lays out ip_mreqn and ipv6_mreq", () => {
  const ipv4 = { family: "ipv4", host: "239.1.2.3", port: 0 } as const;
  assertEquals([...c.encodeMembership(ipv4, 7)], [
    ...[239, 1, 2, 3],
    ...[0, 0, 0, 0],
    ...[7, 0, 0, 0],
  ]);
  const ipv6 = { family: "ipv6", host: "ff02::1", port: 0 } as const;
  const bytes = c.encodeMembership(ipv6, 0x102);
  assertEquals([...bytes.slice(14)], [0, 1, 2, 1, 0, 0]);
});
