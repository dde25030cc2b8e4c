/** What tests rely on of `@std`, and so what the offline stand-ins must do. */
import { declareTest } from "./support/runner.ts";
import {
  assertAlmostEquals,
  assertEquals,
  AssertionError,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";

class Left {
  constructor(readonly value: number) {}
}

class Right {
  constructor(readonly value: number) {}
}

const cycle = (): unknown => {
  const self: { self?: unknown } = {};
  self.self = self;
  return self;
};

const alike: [string, unknown, unknown][] = [
  ["0 and -0", 0, -0],
  ["NaN", NaN, NaN],
  ["nested arrays", [1, [2, { a: 3n }]], [1, [2, { a: 3n }]]],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["views of larger buffers", new Uint8Array(4).subarray(2), new Uint8Array(2)],
  ["sets in another order", new Set([1, [2]]), new Set([[2], 1])],
  ["maps", new Map([[{ a: 1 }, "b"]]), new Map([[{ a: 1 }, "b"]])],
  ["dates", new Date(5), new Date(5)],
  ["cycles", cycle(), cycle()],
  ["instances", new Left(1), new Left(1)],
];

const different: [string, unknown, unknown][] = [
  ["a number and its text", 1, "1"],
  ["a missing and an undefined key", {}, { a: undefined }],
  ["keys", { a: undefined }, { b: undefined }],
  ["lengths", [1, 2], [1, 2, 3]],
  ["a byte", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["types of bytes", new Uint8Array(1), new Int8Array(1)],
  ["classes", new Left(1), new Right(1)],
  ["members of sets", new Set([1, 2]), new Set([1, 3])],
  ["values of maps", new Map([[1, 2]]), new Map([[1, 3]])],
  ["bigints", 1n, 2n],
  ["null and an object", null, {}],
];

for (const [what, left, right] of alike) {
  declareTest(`assertEquals() accepts ${what}`, () => {
    assertEquals(left, right);
    assertThrows(() => assertNotEquals(left, right), AssertionError);
  });
}

for (const [what, left, right] of different) {
  declareTest(`assertEquals() tells ${what} apart`, () => {
    assertNotEquals(left, right);
    assertThrows(() => assertEquals(left, right), AssertionError);
  });
}

declareTest("assertEquals() shows both values and the caller's note", () => {
  const { message } = assertThrows(
    () => assertEquals({ a: 1, b: [2, 3] }, { a: 1, b: [2, 4] }, "of the list"),
    AssertionError,
  );
  for (const part of ["of the list", "3", "4"]) {
    assertStringIncludes(message, part);
  }
});

declareTest("assertThrows() returns the error", () => {
  const thrown = new RangeError("timeoutMs is NaN");
  const returned = assertThrows(
    () => {
      throw thrown;
    },
    RangeError,
    "is NaN",
  );
  assertEquals(returned === thrown, true);
});

declareTest(
  "assertThrows() fails on another class, another message and no error",
  () => {
    const raise = () => {
      throw new RangeError("a");
    };
    assertThrows(() => assertThrows(raise, TypeError), AssertionError);
    assertThrows(() => assertThrows(raise, RangeError, "b"), AssertionError);
    assertThrows(() => assertThrows(() => {}, RangeError), AssertionError);
  },
);

declareTest(
  "assertRejects() returns the error, and fails where none comes",
  async () => {
    const error = await assertRejects(
      () => Promise.reject(new TypeError("a")),
      TypeError,
      "a",
    );
    assertEquals(error.message, "a");
    await assertRejects(
      () => assertRejects(() => Promise.resolve(), TypeError),
      AssertionError,
    );
  },
);

declareTest("assertAlmostEquals() allows the tolerance and no more", () => {
  assertAlmostEquals(1.5, 1.4, 0.2);
  assertThrows(() => assertAlmostEquals(1.5, 1, 0.2), AssertionError);
});

declareTest(
  "parseArgs() reads texts, flags, defaults and what stands alone",
  () => {
    const args = parseArgs(["--size", "64", "--quick", "echo"], {
      string: ["size", "host"],
      boolean: ["quick", "long"],
      default: { host: "127.0.0.1" },
    });
    assertEquals(args, {
      _: ["echo"],
      size: "64",
      host: "127.0.0.1",
      quick: true,
      long: false,
    });
  },
);
