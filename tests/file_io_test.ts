/** Files by Linux AIO, on the kernel's own. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  alignedBuffer,
  Engine,
  type FileIo,
  FileOperation,
  SystemError,
} from "../mod.ts";
import {
  AioRequests,
  AioResults,
  check,
  close,
  EAGAIN,
  EBADF,
  ECANCELED,
  EFD_NONBLOCK,
  EINPROGRESS,
  EINTR,
  EINVAL,
  ENOSYS,
  eventfd,
  io_destroy,
  io_getevents,
  io_setup,
  io_submit,
  IOCB_CMD_PREAD,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_RDONLY,
  O_RDWR,
  open,
  pread,
  systemCalls,
} from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/system_calls.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { CountingCalls } from "./support/counting_calls.ts";
import { test } from "./support/descriptors.ts";
import { replacing } from "./support/faulty_calls.ts";
import { runDeno } from "./support/process.ts";
import { within } from "./support/within.ts";

/** A file that is gone when its scope is left. */
class TemporaryFile implements Disposable {
  readonly directory = Deno.makeTempDirSync();
  readonly path = `${this.directory}/file`;
  readonly fd: number;

  constructor(bytes = new Uint8Array(0), flags = 0) {
    Deno.writeFileSync(this.path, bytes);
    const all = O_RDWR | O_CREAT | O_CLOEXEC | flags;
    this.fd = check(open(this.path, all), "open");
  }

  /** What is in it. */
  get bytes(): Uint8Array {
    return Deno.readFileSync(this.path);
  }

  [Symbol.dispose](): void {
    close(this.fd);
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Bytes that differ from their neighbours, and from block to block. */
function pattern(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length },
    (_, index) => (index * 31 + (index >> 8) * 7 + seed) & 255,
  );
}

/** Runs the engine until all that was started has ended. */
function finish(engine: Engine, io: FileIo): void {
  engine.dispatch();
  while (io.waiting + io.inFlight > 0) {
    engine.poll();
    engine.dispatch();
  }
  engine.turn(0);
}

/** Collects results in the order in which they come. */
function collector() {
  const results: number[] = [];
  return { results, done: (result: number) => void results.push(result) };
}

/** An engine over these calls, its file I/O, and a file. */
function fixture(calls: SystemCalls, depth = 32) {
  const engine = new Engine({}, calls);
  return { engine, io: engine.fileIo({ depth }) };
}

test("reads and writes go to their offsets, past 4 GiB too", () => {
  using file = new TemporaryFile(pattern(1000));
  using engine = new Engine();
  const io = engine.fileIo();
  const far = 5 * 2 ** 30 + 7;
  const { results, done } = collector();
  io.write(file.fd, new Uint8Array([1, 2, 3]), 10, done);
  io.write(file.fd, new Uint8Array([4, 5]), far, done);
  finish(engine, io);
  const near = new Uint8Array(5);
  const end = new Uint8Array(2);
  io.read(file.fd, near, 9, done);
  io.read(file.fd, end, far, done);
  finish(engine, io);
  assertEquals(results.sort(), [2, 2, 3, 5]);
  const expected = pattern(1000).slice(9, 14);
  expected.set([1, 2, 3], 1);
  assertEquals(near, expected);
  assertEquals(end, new Uint8Array([4, 5]));
});

test("a view's offset and length are honoured, and nothing beside it is touched", () => {
  using file = new TemporaryFile(pattern(64));
  using engine = new Engine();
  const io = engine.fileIo();
  const memory = new Uint8Array(32).fill(0xee);
  io.read(file.fd, memory.subarray(8, 16), 4, () => {});
  finish(engine, io);
  const expected = new Uint8Array(32).fill(0xee);
  expected.set(pattern(64).subarray(4, 12), 8);
  assertEquals(memory, expected);
});

for (const asynchronous of [true, false]) {
  const calls = asynchronous
    ? systemCalls
    : replacing({ io_setup: () => -ENOSYS });
  const kind = asynchronous ? "AIO" : "plain calls";

  test(`1,000 operations through a depth of 8 complete once each, bytes exact (${kind})`, () => {
    using file = new TemporaryFile();
    const { engine, io } = fixture(calls, 8);
    using _ = engine;
    assertEquals(io.asynchronous, asynchronous);
    const counts = new Int32Array(1000);
    for (let index = 0; index < 1000; index++) {
      io.write(file.fd, pattern(100, index), index * 100, (result, cookie) => {
        assertEquals(result, 100);
        assert(io.inFlight <= 8);
        counts[cookie]++;
      }, index);
    }
    assertEquals([io.waiting, io.inFlight], [1000, 0]);
    finish(engine, io);
    assertEquals(counts, new Int32Array(1000).fill(1));
    const written = file.bytes;
    assertEquals(written.length, 100_000);
    counts.fill(0);
    for (let index = 0; index < 1000; index++) {
      const buffer = new Uint8Array(100);
      io.read(file.fd, buffer, index * 100, (result, cookie) => {
        assertEquals(result, 100);
        assertEquals(buffer, pattern(100, cookie));
        counts[cookie]++;
      }, index);
    }
    finish(engine, io);
    assertEquals(counts, new Int32Array(1000).fill(1));
  });

  test(`the end of file is a short count, then 0; a closed descriptor is -EBADF (${kind})`, () => {
    using file = new TemporaryFile(pattern(10));
    const { engine, io } = fixture(calls);
    using _ = engine;
    const results = new Map<string, number>();
    const done = (result: number, cookie: string) =>
      void results.set(cookie, result);
    io.read(file.fd, new Uint8Array(8), 6, done, "short");
    io.read(file.fd, new Uint8Array(8), 10, done, "end");
    io.read(file.fd, new Uint8Array(0), 0, done, "nothing");
    io.read(1_000_000, new Uint8Array(8), 0, done, "closed");
    io.fsync(1_000_000, done, "sync");
    io.fsync(file.fd, done, "fsync");
    io.fdatasync(file.fd, done, "fdatasync");
    finish(engine, io);
    assertEquals(Object.fromEntries(results), {
      short: 4,
      end: 0,
      nothing: 0,
      closed: -EBADF,
      sync: -EBADF,
      fsync: 0,
      fdatasync: 0,
    });
  });

  test(`no callback runs inside a verb, a cancel or close (${kind})`, () => {
    using file = new TemporaryFile(pattern(10));
    const { engine, io } = fixture(calls);
    using _ = engine;
    let inside = true;
    let called = 0;
    const done = () => {
      assert(!inside);
      called++;
    };
    io.read(file.fd, new Uint8Array(8), 0, done);
    io.read(1_000_000, new Uint8Array(8), 0, done).cancel();
    io.close();
    inside = false;
    engine.turn(0);
    assertEquals(called, 2);
  });
}

test("an operation knows its callback's cookie, or has none", () => {
  using file = new TemporaryFile(pattern(10));
  using engine = new Engine();
  const io = engine.fileIo();
  const cookies: unknown[] = [];
  const note = (_: number, cookie: unknown) => void cookies.push(cookie);
  const token = { any: "object" };
  const operation = io.read(file.fd, new Uint8Array(1), 0, note, token);
  assert(operation instanceof FileOperation);
  io.read(file.fd, new Uint8Array(1), 0, note);
  finish(engine, io);
  assert(cookies.includes(token));
  assert(cookies.includes(undefined));
  assertEquals(operation.cancel(), false);
});

test("all that a handler starts is one io_submit, and no plain call", () => {
  using file = new TemporaryFile(pattern(100));
  const counting = new CountingCalls(systemCalls);
  const { engine, io } = fixture(counting.calls);
  using _ = engine;
  const { results, done } = collector();
  engine.timer(0, () => {
    for (let index = 0; index < 20; index++) {
      io.read(file.fd, new Uint8Array(5), index, done);
    }
  });
  engine.turn();
  assertEquals(counting.count("io_submit"), 1);
  finish(engine, io);
  assertEquals(results, new Array(20).fill(5));
  assertEquals(counting.count("io_submit"), 1);
  assertEquals(counting.count("pread"), 0);
});

test("more results than one io_getevents takes all arrive", () => {
  using file = new TemporaryFile(pattern(1000));
  using engine = new Engine();
  const io = engine.fileIo({ depth: 200 });
  const { results, done } = collector();
  for (let index = 0; index < 200; index++) {
    io.read(file.fd, new Uint8Array(3), index, done);
  }
  finish(engine, io);
  assertEquals(results, new Array(200).fill(3));
});

test("it goes on beside the runtime's own event loop", async () => {
  using file = new TemporaryFile(pattern(100));
  using engine = new Engine();
  const io = engine.fileIo();
  const running = engine.start();
  const buffer = new Uint8Array(50);
  for (let round = 0; round < 3; round++) {
    const read = Promise.withResolvers<number>();
    io.read(file.fd, buffer, round, read.resolve);
    assertEquals(await within(read.promise), 50);
    assertEquals(buffer, pattern(100).slice(round, round + 50));
  }
  engine.stop();
  await within(running);
});

test("O_DIRECT takes aligned buffers, and refuses others by -EINVAL", () => {
  using file = new TemporaryFile(pattern(16384));
  const direct = open(file.path, O_RDWR | O_CLOEXEC | O_DIRECT);
  if (direct === -EINVAL) {
    console.log("O_DIRECT is not offered by this file system");
    return;
  }
  check(direct, "open");
  using engine = new Engine();
  const io = engine.fileIo();
  const { results, done } = collector();
  const block = alignedBuffer(8192);
  block.set(pattern(8192, 99));
  io.write(direct, block, 4096, done);
  finish(engine, io);
  const back = alignedBuffer(16384);
  io.read(direct, back, 0, done);
  finish(engine, io);
  assertEquals(results, [8192, 16384]);
  const expected = pattern(16384);
  expected.set(pattern(8192, 99), 4096);
  assertEquals(back, expected);

  results.length = 0;
  io.read(direct, alignedBuffer(8192).subarray(1, 4097), 0, done);
  io.read(direct, alignedBuffer(4096), 1, done);
  io.read(direct, alignedBuffer(4096).subarray(0, 4095), 0, done);
  finish(engine, io);
  // Of these the file system may read one from the page cache instead.
  assert(results.every((result) => result === -EINVAL || result > 0));
  assert(results.includes(-EINVAL));
  close(direct);
});

test("a cancelled operation that waits never starts, and is called back once with -ECANCELED", () => {
  using file = new TemporaryFile(pattern(10));
  using engine = new Engine();
  const io = engine.fileIo({ depth: 1 });
  const results: [string, number][] = [];
  const note = (result: number, cookie: string) =>
    void results.push([cookie, result]);
  const first = io.write(file.fd, new Uint8Array([200]), 0, note, "first");
  const second = io.write(file.fd, new Uint8Array([201]), 1, note, "second");
  io.write(file.fd, new Uint8Array([202]), 2, note, "third");
  assertEquals(second.cancel(), true);
  assertEquals(second.cancel(), false);
  assertEquals(io.waiting, 2);
  finish(engine, io);
  assertEquals(first.cancel(), false);
  assertEquals(results.toSorted(), [
    ["first", 1],
    ["second", -ECANCELED],
    ["third", 1],
  ]);
  const expected = pattern(10);
  expected[0] = 200;
  expected[2] = 202;
  assertEquals(file.bytes, expected);
});

test("cancel() of what the kernel has tells what the kernel says, and the result still comes", () => {
  using file = new TemporaryFile(pattern(10));
  let answer = -EINVAL;
  const { engine, io } = fixture(replacing({ io_cancel: () => answer }));
  using _ = engine;
  const { results, done } = collector();
  const operation = io.read(file.fd, new Uint8Array(5), 0, done);
  engine.dispatch();
  assertEquals([io.waiting, io.inFlight], [0, 1]);
  assertEquals(operation.cancel(), false);
  answer = -EINPROGRESS;
  assertEquals(operation.cancel(), true);
  finish(engine, io);
  assertEquals(results, [5]);
});

test("the kernel's own io_cancel of a read is refused or granted, and the result comes once", () => {
  using file = new TemporaryFile(pattern(10));
  using engine = new Engine();
  const io = engine.fileIo();
  const { results, done } = collector();
  const operation = io.read(file.fd, new Uint8Array(5), 0, done);
  engine.dispatch();
  operation.cancel();
  finish(engine, io);
  assertEquals(results.length, 1);
});

test("a verb throws EAGAIN once queueMax operations wait, and works again when they have gone", () => {
  using file = new TemporaryFile(pattern(10));
  using engine = new Engine();
  const io = engine.fileIo({ depth: 2, queueMax: 3 });
  const { results, done } = collector();
  const read = () => io.read(file.fd, new Uint8Array(1), 0, done);
  read();
  read();
  assertEquals(io.full, false);
  const last = read();
  assertEquals(io.full, true);
  const error = assertThrows(read, SystemError);
  assertEquals([error.code, error.syscall], ["EAGAIN", "read"]);
  last.cancel();
  assertEquals(io.full, false);
  read();
  finish(engine, io);
  read();
  finish(engine, io);
  assertEquals(results.toSorted(), [-ECANCELED, 1, 1, 1, 1]);
});

test("close() waits for what the kernel has and cancels the rest; each is called back once", () => {
  using file = new TemporaryFile(pattern(10_000));
  using engine = new Engine();
  const io = engine.fileIo({ depth: 100 });
  const buffers = Array.from({ length: 150 }, () => new Uint8Array(50));
  const results = new Map<number, number>();
  let calls = 0;
  for (const [index, buffer] of buffers.entries()) {
    io.read(file.fd, buffer, index * 50, (result, cookie) => {
      calls++;
      results.set(cookie, result);
    }, index);
  }
  engine.dispatch();
  assertEquals([io.inFlight, io.waiting], [100, 50]);
  io.close();
  io.close();
  assertEquals([io.closed, io.inFlight, io.waiting, calls], [true, 0, 0, 0]);
  engine.turn(0);
  assertEquals([calls, results.size], [150, 150]);
  for (const [index, buffer] of buffers.entries()) {
    assertEquals(results.get(index), index < 100 ? 50 : -ECANCELED);
    const bytes = pattern(10_000).slice(index * 50, index * 50 + 50);
    assertEquals(buffer, index < 100 ? bytes : new Uint8Array(50));
  }
  const error = assertThrows(
    () => io.read(file.fd, new Uint8Array(1), 0, () => {}),
    SystemError,
  );
  assertEquals(error.code, "EBADF");
});

test("closing goes on after an interruption, and ends if results can't be had", () => {
  using file = new TemporaryFile(pattern(10));
  for (const errors of [[-EINTR, -EINTR], [-EINVAL]]) {
    const left = [...errors];
    const { engine, io } = fixture(replacing({
      io_getevents: (...args) =>
        left.shift() ?? systemCalls.io_getevents(...args),
    }));
    using _ = engine;
    const { results, done } = collector();
    io.read(file.fd, new Uint8Array(5), 0, done);
    engine.dispatch();
    io.close();
    engine.turn(0);
    assertEquals(results, [errors[0] === -EINTR ? 5 : -ECANCELED]);
  }
});

test("closing the engine calls back what is under way, once", () => {
  using file = new TemporaryFile(pattern(10));
  const engine = new Engine();
  const io = engine.fileIo({ depth: 1 });
  const { results, done } = collector();
  io.read(file.fd, new Uint8Array(5), 0, done);
  io.read(file.fd, new Uint8Array(5), 0, done);
  engine.dispatch();
  engine.close();
  assertEquals(results.toSorted(), [-ECANCELED, 5]);
  assertEquals(io.closed, true);
  assertThrows(() => engine.fileIo(), SystemError, "EBADF");
});

test("closing from a callback leaves the others their results", () => {
  using file = new TemporaryFile(pattern(10));
  using engine = new Engine();
  const io = engine.fileIo();
  const { results, done } = collector();
  io.read(file.fd, new Uint8Array(1), 0, () => io.close());
  for (let index = 0; index < 5; index++) {
    io.read(file.fd, new Uint8Array(2), 0, done);
  }
  while (results.length < 5) engine.turn();
  assertEquals(results, [2, 2, 2, 2, 2]);
});

test("a callback that throws harms no other", () => {
  using file = new TemporaryFile(pattern(10));
  const errors: [unknown, object][] = [];
  using engine = new Engine({
    onError: (error, source) => void errors.push([error, source]),
  });
  const io = engine.fileIo();
  const { results, done } = collector();
  io.read(file.fd, new Uint8Array(1), 0, () => {
    throw new Error("thrown");
  });
  io.read(file.fd, new Uint8Array(2), 0, done);
  finish(engine, io);
  assertEquals(results, [2]);
  assertEquals(errors.length, 1);
  assert(errors[0][1] === io);
});

for (const [name, errno] of Object.entries({ EAGAIN, ENOSYS, EINVAL })) {
  test(`where io_submit answers ${name} the plain call is made, and the result comes later`, () => {
    using file = new TemporaryFile(pattern(100));
    const counting = new CountingCalls(replacing({ io_submit: () => -errno }));
    const { engine, io } = fixture(counting.calls);
    using _ = engine;
    const results = new Map<string, number>();
    const done = (result: number, cookie: string) =>
      void results.set(cookie, result);
    const buffer = new Uint8Array(20);
    io.read(file.fd, buffer, 5, done, "read");
    io.write(file.fd, new Uint8Array([7]), 99, done, "write");
    io.fsync(file.fd, done, "fsync");
    io.fdatasync(file.fd, done, "fdatasync");
    assertEquals(results.size, 0);
    finish(engine, io);
    assertEquals(Object.fromEntries(results), {
      read: 20,
      write: 1,
      fsync: 0,
      fdatasync: 0,
    });
    assertEquals(buffer, pattern(100).slice(5, 25));
    assertEquals(file.bytes[99], 7);
    for (const call of ["pread", "pwrite", "fsync", "fdatasync"] as const) {
      assertEquals(counting.count(call), 1);
    }
  });
}

test("one operation declined among others is made plainly, the others by the kernel", () => {
  using file = new TemporaryFile(pattern(100));
  const counting = new CountingCalls(systemCalls);
  const { engine, io } = fixture(counting.calls);
  using _ = engine;
  const results: number[] = new Array(5);
  for (let index = 0; index < 5; index++) {
    // The kernel takes those before a bad one, then refuses, then goes on.
    const fd = index === 2 ? 1_000_000 : file.fd;
    io.read(fd, new Uint8Array(index + 1), 0, (result, cookie) => {
      results[cookie] = result;
    }, index);
  }
  finish(engine, io);
  assertEquals(results, [1, 2, -EBADF, 4, 5]);
  assertEquals(counting.count("pread"), 1);
  assertEquals(
    counting.named("io_submit").map(({ result }) => result),
    [2, -EBADF, 2],
  );
});

test("bad arguments are refused at once, and start nothing", () => {
  using engine = new Engine();
  const io = engine.fileIo();
  const bytes = new Uint8Array(1);
  const none = () => {};
  for (const fd of [-1, 1.5, NaN, 2 ** 31]) {
    assertThrows(() => io.read(fd, bytes, 0, none), RangeError, "descriptor");
    assertThrows(() => io.fsync(fd, none), RangeError, "descriptor");
  }
  for (const offset of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => io.write(0, bytes, offset, none), RangeError, "offset");
  }
  const wrong: Uint8Array = JSON.parse("[1, 2]");
  assertThrows(() => io.read(0, wrong, 0, none), TypeError, "buffer");
  const missing: () => void = JSON.parse("null");
  assertThrows(() => io.fdatasync(0, missing), TypeError, "callback");
  assertEquals(io.waiting, 0);
  for (const depth of [0, -1, 1.5, NaN, 65537]) {
    assertThrows(() => engine.fileIo({ depth }), RangeError, "depth");
    assertThrows(() => engine.fileIo({ queueMax: depth }), RangeError);
  }
});

test("alignedBuffer() gives zeroed memory of the length asked for, where it is asked for", () => {
  for (const alignment of [1, 512, 4096, 65536]) {
    const buffer = alignedBuffer(1000, alignment);
    assertEquals(buffer, new Uint8Array(1000));
  }
  assertEquals(alignedBuffer(0).length, 0);
  for (const alignment of [0, -1, 3, 1000, NaN, 2 ** 21]) {
    assertThrows(() => alignedBuffer(1, alignment), RangeError, "alignment");
  }
  assertThrows(() => alignedBuffer(-1), RangeError, "length");
  assertThrows(() => alignedBuffer(1.5), RangeError, "length");
});

test("the raw calls carry a slot and a generation from request to result", () => {
  using file = new TemporaryFile(pattern(100));
  const context = new BigUint64Array(1);
  check(io_setup(4, context), "io_setup");
  const counter = check(eventfd(0, EFD_NONBLOCK), "eventfd");
  const requests = new AioRequests(4, counter);
  const results = new AioResults(4);
  const buffer = new Uint8Array(10);
  requests.push(3, -7, IOCB_CMD_PREAD, file.fd, buffer, 95);
  assertEquals([requests.length, requests.first], [1, 3]);
  assertEquals(io_submit(context[0], requests.list, requests.length), 1);
  requests.shift(1);
  assertEquals(io_getevents(context[0], 1, 4, results.words, -1), 1);
  assertEquals(
    [results.slot(0), results.generation(0), results.result(0)],
    [3, -7, 5],
  );
  assertEquals(io_getevents(context[0], 1, 4, results.words, 0), 0);
  assertEquals(io_destroy(context[0]), 0);
  assertEquals(io_destroy(context[0]), -EINVAL);
  assertEquals(pread(-1, buffer, 0), -EBADF);
  close(counter);
});

test("examples/guide/file.ts writes, syncs and reads again under the scoped permission", async () => {
  const directory = Deno.makeTempDirSync();
  const { code, stdout, stderr } = await runDeno("examples/guide/file.ts", {
    flags: ["--no-prompt", scopedFlag],
    cwd: directory,
  });
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.trim().split("\n");
  assertEquals(lines.slice(0, 2), ["write: 8192", "fsync: 0"]);
  assertEquals(lines.slice(2, 6).toSorted(), [
    "half 0 is all 1",
    "half 1 is all 2",
    "read of half 0: 4096",
    "read of half 1: 4096",
  ]);
  assertEquals(lines[6], "ended");
  assertEquals([...Deno.readDirSync(directory)], []);
  Deno.removeSync(directory);
});

test("a file opened for reading only answers a write with -EBADF, and others go on", () => {
  using file = new TemporaryFile(pattern(10));
  const fd = check(open(file.path, O_RDONLY | O_CLOEXEC), "open");
  using engine = new Engine();
  const io = engine.fileIo();
  const { results, done } = collector();
  io.write(fd, new Uint8Array(1), 0, done);
  io.read(fd, new Uint8Array(10), 0, done);
  finish(engine, io);
  assertEquals(results.toSorted(), [-EBADF, 10]);
  close(fd);
});
