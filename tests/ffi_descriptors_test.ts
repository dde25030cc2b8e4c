/** Calls on descriptors and files through the raw layer, on the real kernel. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";

const text = (value: string) => new TextEncoder().encode(value);
const string = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Hands out the two ends of a pipe, and closes them. */
function withPipe(use: (reader: number, writer: number) => void): void {
  const fds = new Int32Array(2);
  c.check(c.pipe2(fds, c.O_CLOEXEC | c.O_NONBLOCK), "pipe2");
  try {
    use(fds[0], fds[1]);
  } finally {
    c.close(fds[0]);
    c.close(fds[1]);
  }
}

test("read() and write() return counts, 0 at the end, and errors below 0", () => {
  withPipe((reader, writer) => {
    const buffer = new Uint8Array(8);
    assertEquals(c.read(reader, buffer), -c.EAGAIN);
    assertEquals(c.write(writer, text("hello")), 5);
    assertEquals(c.read(reader, buffer.subarray(2, 5)), 3);
    assertEquals(Array.from(buffer), [0, 0, 104, 101, 108, 0, 0, 0]);
    assertEquals(c.read(reader, buffer), 2);
    assertEquals(c.read(writer, buffer), -c.EBADF);
    assertEquals(c.write(reader, buffer), -c.EBADF);
    assertEquals(c.write(writer, new Uint8Array(0)), 0);
    const copy = c.fcntl(writer, c.F_DUPFD_CLOEXEC);
    c.close(copy);
    assertEquals(c.read(copy, buffer), -c.EBADF);
  });
});

test("read() returns 0 once the last writer is gone", () => {
  const fds = new Int32Array(2);
  assertEquals(c.pipe2(fds, c.O_CLOEXEC), 0);
  assertEquals(c.close(fds[1]), 0);
  assertEquals(c.read(fds[0], new Uint8Array(1)), 0);
  assertEquals(c.close(fds[0]), 0);
  assertEquals(c.close(fds[0]), -c.EBADF);
});

test("write() returns EPIPE once the last reader is gone", () => {
  const fds = new Int32Array(2);
  c.pipe2(fds, c.O_CLOEXEC);
  c.close(fds[0]);
  assertEquals(c.write(fds[1], text("x")), -c.EPIPE);
  c.close(fds[1]);
});

test("buffers may be views of shared memory", () => {
  withPipe((reader, writer) => {
    const shared = new Uint8Array(new SharedArrayBuffer(16)).subarray(4, 12);
    shared.set(text("shared"));
    assertEquals(c.write(writer, shared.subarray(0, 6)), 6);
    shared.fill(0);
    assertEquals(c.read(reader, shared), 6);
    assertEquals(string(shared.slice(0, 6)), "shared");
  });
});

test("writev() and readv() move chunks of every kind in order", () => {
  withPipe((reader, writer) => {
    const large = new Uint8Array(300).fill(0x61);
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set(text("<shared>"));
    const chunks = [
      text("one"),
      text("--two--").subarray(2, 5),
      new Uint8Array(0),
      large,
      shared,
    ];
    assertEquals(c.writev(writer, chunks), 314);
    assertEquals(c.writev(writer, chunks, 2), 6);
    const parts = [
      new Uint8Array(6),
      new Uint8Array(400).subarray(50, 350),
      new Uint8Array(64).subarray(8),
    ];
    assertEquals(c.readv(reader, parts), 320);
    assertEquals(parts.map((part) => string(part.slice(0, 14))), [
      "onetwo",
      "a".repeat(14),
      "<shared>onetwo",
    ]);
    assertEquals(c.readv(reader, parts), -c.EAGAIN);
  });
});

test("writev() sends what each chunk holds now, under memory pressure", () => {
  withPipe((reader, writer) => {
    const answer = new Uint8Array(64);
    let garbage: unknown[] = [];
    for (let round = 0; round < 20_000; round++) {
      garbage.push(new Uint8Array(64), `${round}`);
      if (garbage.length > 3_000) garbage = [];
      const chunks = [text(`${round}`), new Uint8Array([0x2c]), text("end")];
      const length = c.writev(writer, chunks);
      assert(c.read(reader, answer) === length);
      assertEquals(string(answer.subarray(0, length)), `${round},end`);
    }
  });
});

test("writev() and readv() return the kernel's error", () => {
  withPipe((reader, writer) => {
    assertEquals(c.writev(reader, [text("x")]), -c.EBADF);
    assertEquals(c.readv(writer, [new Uint8Array(1)]), -c.EBADF);
    assertEquals(c.writev(writer, []), 0);
  });
});

test("writev() takes 1,024 chunks and no more", () => {
  withPipe((reader, writer) => {
    const chunks = Array.from({ length: 1025 }, () => text("x"));
    assertEquals(c.writev(writer, chunks, 1024), 1024);
    assertEquals(c.read(reader, new Uint8Array(2048)), 1024);
    assertThrows(
      () => c.writev(writer, chunks),
      RangeError,
      "Cannot move 1025 chunks: one call takes 1024, and there are 1025",
    );
    assertThrows(() => c.writev(writer, [text("x")], 2), RangeError);
    assertThrows(() => c.writev(writer, [text("x")], -1), TypeError);
  });
});

test("fcntl() reads and sets flags, and duplicates", () => {
  withPipe((reader) => {
    const flags = c.fcntl(reader, c.F_GETFL);
    assertEquals(flags & c.O_NONBLOCK, c.O_NONBLOCK);
    assertEquals(c.fcntl(reader, c.F_SETFL, flags & ~c.O_NONBLOCK), 0);
    assertEquals(c.fcntl(reader, c.F_GETFL) & c.O_NONBLOCK, 0);
    const copy = c.fcntl(reader, c.F_DUPFD_CLOEXEC, 100);
    assert(copy >= 100);
    assertEquals(c.fcntl(copy, c.F_GETFD), c.FD_CLOEXEC);
    assertEquals(c.close(copy), 0);
    assertEquals(c.fcntl(copy, c.F_GETFD), -c.EBADF);
    assertEquals(c.fcntl(reader, 9999), -c.EINVAL);
  });
});

test("dup() drops close-on-exec, dup3() takes a number over", () => {
  withPipe((reader, writer) => {
    const copy = c.dup(reader);
    assertEquals(c.fcntl(copy, c.F_GETFD), 0);
    assertEquals(c.dup3(writer, copy, c.O_CLOEXEC), copy);
    assertEquals(c.fcntl(copy, c.F_GETFD), c.FD_CLOEXEC);
    assertEquals(c.write(copy, text("x")), 1);
    assertEquals(c.dup3(copy, copy), -c.EINVAL);
    c.close(copy);
    assertEquals(c.dup(copy), -c.EBADF);
  });
});

test("pipe2() and eventfd() refuse flags that they do not know", () => {
  assertEquals(c.pipe2(new Int32Array(2), 1), -c.EINVAL);
  assertEquals(c.eventfd(0, 0x10), -c.EINVAL);
});

test("eventfd() starts at any unsigned 32-bit value", () => {
  const fd = c.eventfd(0xffffffff, c.EFD_CLOEXEC);
  const value = new BigUint64Array(1);
  assertEquals(c.read(fd, new Uint8Array(value.buffer)), 8);
  assertEquals(value[0], 0xffffffffn);
  assertEquals(c.read(fd, new Uint8Array(7)), -c.EINVAL);
  c.close(fd);
});

test("open() makes, refuses and finds files; unlink() removes them", () => {
  const path = `${Deno.makeTempDirSync()}/ä file`;
  assertEquals(c.open(path, c.O_RDONLY), -c.ENOENT);
  const make = c.O_RDWR | c.O_CREAT | c.O_EXCL | c.O_CLOEXEC;
  const fd = c.check(c.open(path, make, 0o640), "open");
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o640);
  assertEquals(c.open(path, make), -c.EEXIST);
  assertEquals(c.write(fd, text("saved")), 5);
  assertEquals(Deno.readTextFileSync(path), "saved");
  assertEquals(c.open(path, c.O_RDONLY | c.O_DIRECTORY), -c.ENOTDIR);
  c.close(fd);
  assertEquals(c.unlink(path), 0);
  assertEquals(c.unlink(path), -c.ENOENT);
  Deno.removeSync(path.slice(0, path.lastIndexOf("/")));
});

test("open() reads what the runtime's own file functions may not", () => {
  const fd = c.check(c.open("/proc/self/stat", c.O_RDONLY), "open");
  const buffer = new Uint8Array(256);
  const stat = string(buffer.subarray(0, c.read(fd, buffer)));
  c.close(fd);
  assertEquals(parseInt(stat), c.getpid());
});

test("a path with a NUL is refused before the kernel cuts it", () => {
  for (const call of [() => c.open("a\0b", 0), () => c.unlink("a\0b")]) {
    assertThrows(
      call,
      TypeError,
      'Cannot pass a string to C: it holds a NUL, the current value is "a\\u0000b"',
    );
  }
});

test("-0 is 0", () => {
  withPipe((reader) => {
    assertEquals(c.fcntl(reader, c.F_GETFD, -0), c.FD_CLOEXEC);
    c.close(c.check(c.eventfd(-0, -0), "eventfd"));
  });
});

test("ioctl() takes memory or nothing", () => {
  withPipe((reader, writer) => {
    c.write(writer, text("12345"));
    const waiting = new Int32Array(1);
    assertEquals(c.ioctl(reader, c.FIONREAD, waiting), 0);
    assertEquals(waiting[0], 5);
    assertEquals(c.ioctl(reader, 0xffffffff), -c.ENOTTY);
    assertEquals(c.ioctl(-1, c.FIONREAD, waiting), -c.EBADF);
  });
});

test("no call writes past the end of the memory given", () => {
  assertThrows(
    () => c.pipe2(new Int32Array(1)),
    RangeError,
    "Cannot make a system call: a pair of descriptors takes 8 bytes, the current length is 4",
  );
  assertThrows(() => c.poll(new Int32Array(3), 2, 0), RangeError);
});

test("no argument reaches the kernel as another number", () => {
  const buffer = new Uint8Array(1);
  // Compiled code is the kind that would truncate.
  for (let round = 0; round < 20_000; round++) c.read(-1, buffer);
  for (const value of [3.7, NaN, 2 ** 32, -Infinity]) {
    const message =
      `Cannot make a system call: an argument must be a signed 32-bit integer, the current value is ${value}`;
    for (
      const call of [
        () => c.read(value, buffer),
        () => c.write(value, buffer),
        () => c.close(value),
        () => c.fcntl(value, 0, 0),
        () => c.fcntl(0, 0, value),
        () => c.writev(value, [buffer]),
        () => c.dup(value),
        () => c.ioctl(value, 0),
      ]
    ) assertThrows(call, TypeError, message);
  }
  assertThrows(
    () => c.ioctl(0, -1),
    TypeError,
    "must be an unsigned 32-bit integer, the current value is -1",
  );
});
