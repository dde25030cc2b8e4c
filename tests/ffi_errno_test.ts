/** Error numbers: read exactly, named, and thrown. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { once } from "node:events";
import { getSystemErrorMap } from "node:util";
import { Worker } from "node:worker_threads";
import * as c from "../ffi/mod.ts";
import { countWrongErrnos } from "./ffi_errno_pressure.ts";
import { test } from "./support/descriptors.ts";
import { runDeno } from "./support/process.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";

/** Enough for each call to be compiled, and for many garbage collections. */
const ROUNDS = 60_000;

test("a failed call returns its own error number under memory pressure", () => {
  assertEquals(countWrongErrnos(ROUNDS), 0);
});

test("a failed call returns its own error number under the scoped permission", async () => {
  const result = await runDeno("tests/ffi_errno_pressure.ts", {
    flags: [scopedFlag],
    args: [String(ROUNDS)],
  });
  assertEquals(result, { code: 0, signal: null, stdout: "0\n", stderr: "" });
});

test("a failed call returns its own error number in each worker", async () => {
  const workers = [1, 2].map(() =>
    new Worker(new URL("ffi_errno_pressure.ts", import.meta.url), {
      workerData: ROUNDS / 2,
    })
  );
  const answers = workers.map((worker) => once(worker, "message"));
  const exits = workers.map((worker) => once(worker, "exit"));
  assertEquals(countWrongErrnos(ROUNDS / 2), 0);
  assertEquals(await Promise.all(answers), [[0], [0]]);
  await Promise.all(exits);
});

const kernelNumbers = new Map(
  Object.entries(c).filter(
    (entry): entry is [string, number] =>
      /^E[A-Z0-9]+$/.test(entry[0]) && !/^E(POLL|FD_)/.test(entry[0]) &&
      typeof entry[1] === "number" && entry[1] < 3000,
  ),
);

test("errnoName() knows each number of the kernel, in either sign", () => {
  assertEquals(kernelNumbers.size, 131);
  for (const [name, number] of kernelNumbers) {
    assertEquals([name, c.errnoName(number)], [name, name]);
    assertEquals(c.errnoName(-number), name);
  }
});

test("errnoName() of a number without a name still tells the number", () => {
  assertEquals(c.errnoName(999), "E999");
  assertEquals(c.errnoName(0), "E0");
});

test("SystemError tells the call, the code and what it was about", () => {
  const error = new c.SystemError("epoll_ctl", c.EBADF, { fd: 7 });
  assertInstanceOf(error, Error);
  assertEquals(
    [error.name, error.code, error.errno, error.syscall, error.fd],
    ["SystemError", "EBADF", 9, "epoll_ctl", 7],
  );
  assertEquals(
    error.message,
    "epoll_ctl: EBADF (bad file descriptor), descriptor 7",
  );
});

test("SystemError has no descriptor and no address where none is concerned", () => {
  const error = new c.SystemError("epoll_create1", -c.EMFILE);
  assertEquals([error.errno, "fd" in error, "address" in error], [
    24,
    false,
    false,
  ]);
  assertEquals(error.message, "epoll_create1: EMFILE (too many open files)");
});

test("SystemError names the address", () => {
  const error = new c.SystemError("bind", -c.EADDRINUSE, {
    fd: 0,
    address: "127.0.0.1:80",
  });
  assertEquals(error.address, "127.0.0.1:80");
  assertEquals(
    error.message,
    "bind: EADDRINUSE (address already in use), descriptor 0, address 127.0.0.1:80",
  );
});

test("SystemError says what the number means, as Node.js does", () => {
  const known = getSystemErrorMap();
  for (const number of kernelNumbers.values()) {
    const { message } = new c.SystemError("read", number);
    const [, text] = known.get(-number) ?? [];
    const [, said] = /^read: E\w+ \((.+)\)$/.exec(message) ?? [];
    assertEquals(said, text ?? said);
    assert(said !== undefined, message);
  }
  assertEquals(new c.SystemError("read", -999).message, "read: E999");
});

test("a program's first error loads nothing that it did not need before", async () => {
  const result = await runDeno("tests/ffi_first_error.ts", {
    flags: ["--allow-ffi", "--v8-flags=--expose-gc"],
  });
  assertEquals(result.stderr, "");
  const bytes = Number(result.stdout);
  assert(bytes < 256 * 1024, `it took ${bytes} bytes of the heap`);
});

test("check() returns what is not negative, and throws what is", () => {
  assertStrictEquals(c.check(0, "read"), 0);
  assertStrictEquals(c.check(5, "read"), 5);
  const error = assertThrows(
    () => c.check(-c.EPERM, "epoll_ctl", { fd: 3 }),
    c.SystemError,
    "epoll_ctl: EPERM (operation not permitted), descriptor 3",
  );
  assertEquals(error.code, "EPERM");
});
