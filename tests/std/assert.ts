/** Stand-in for `@std/assert`, over node:assert and node:util. */
import { deepStrictEqual } from "node:assert";
import { inspect } from "node:util";
import { equal } from "./equal.ts";

export { equal };

/** The error that every failed assertion throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** A class of errors, whatever its constructor takes. */
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** Always throws. */
export function fail(message?: string): never {
  throw new AssertionError(`Failed assertion${suffix(message)}`);
}

/** `condition` is truthy. */
export function assert(condition: unknown, message = ""): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Both have the same structure. */
export function assertEquals<T>(
  actual: T,
  expectedValue: T,
  message?: string,
): void {
  if (equal(actual, expectedValue)) return;
  throw new AssertionError(
    `Values are not equal${suffix(message)}\n\n${
      difference(actual, expectedValue)
    }`,
  );
}

/** The structures differ. */
export function assertNotEquals<T>(
  actual: T,
  other: T,
  message?: string,
): void {
  if (equal(actual, other)) expected(actual, "to differ", message);
}

/** Both are the same value or the same object. */
export function assertStrictEquals<T>(
  actual: unknown,
  expectedValue: T,
  message?: string,
): asserts actual is T {
  if (Object.is(actual, expectedValue)) return;
  throw new AssertionError(
    `Values are not strictly equal${suffix(message)}\n\n${
      difference(actual, expectedValue)
    }`,
  );
}

/** `actual` is an instance of `constructor`. */
export function assertInstanceOf<T>(
  actual: unknown,
  constructor: abstract new (...args: never[]) => T,
  message?: string,
): asserts actual is T {
  if (!(actual instanceof constructor)) {
    expected(actual, `to be an instance of ${constructor.name}`, message);
  }
}

/** `text` has a match for `pattern`. */
export function assertMatch(
  text: string,
  pattern: RegExp,
  message?: string,
): void {
  if (!pattern.test(text)) expected(text, `to match ${pattern}`, message);
}

/** `text` contains `part`. */
export function assertStringIncludes(
  text: string,
  part: string,
  message?: string,
): void {
  if (!text.includes(part)) {
    expected(text, `to contain ${show(part)}`, message);
  }
}

/** `actual` is above `bound`. */
export function assertGreater<T>(actual: T, bound: T, message?: string): void {
  if (!(actual > bound)) expected(actual, `to be > ${show(bound)}`, message);
}

/** `actual` is `bound` or above. */
export function assertGreaterOrEqual<T>(
  actual: T,
  bound: T,
  message?: string,
): void {
  if (!(actual >= bound)) expected(actual, `to be >= ${show(bound)}`, message);
}

/** `actual` is below `bound`. */
export function assertLess<T>(actual: T, bound: T, message?: string): void {
  if (!(actual < bound)) expected(actual, `to be < ${show(bound)}`, message);
}

/** `actual` is `bound` or below. */
export function assertLessOrEqual<T>(
  actual: T,
  bound: T,
  message?: string,
): void {
  if (!(actual <= bound)) expected(actual, `to be <= ${show(bound)}`, message);
}

/** `actual` is within `tolerance` of `expectedValue`. */
export function assertAlmostEquals(
  actual: number,
  expectedValue: number,
  tolerance?: number,
  message?: string,
): void {
  if (Object.is(actual, expectedValue)) return;
  const allowed = tolerance ?? Math.abs(expectedValue) * 1e-7;
  if (Math.abs(actual - expectedValue) <= allowed) return;
  expected(actual, `to be ${expectedValue} ± ${allowed}`, message);
}

/** `error` is of the class, and its message contains `includes`. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  includes?: string | RegExp,
  message?: string,
): asserts error is E {
  if (!(error instanceof (errorClass ?? Error))) {
    const name = errorClass?.name ?? "Error";
    expected(error, `to be an instance of ${name}`, message);
  }
  const matches = includes === undefined ||
    (includes instanceof RegExp
      ? includes.test(error.message)
      : error.message.includes(includes));
  if (!matches) {
    expected(error.message, `to contain ${show(includes)}`, message);
  }
}

/** `run` throws; the error is returned. */
export function assertThrows(run: () => unknown, message?: string): unknown;
/** `run` throws an error of the class whose message contains `includes`. */
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass: ErrorClass<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows<E extends Error>(
  run: () => unknown,
  errorClass?: ErrorClass<E> | string,
  includes?: string,
  message?: string,
): unknown {
  try {
    run();
  } catch (error) {
    return checked(error, errorClass, includes, message);
  }
  return fail(describe("Expected function to throw", errorClass, message));
}

/** The promise of `run` rejects; the error is returned. */
export function assertRejects(
  run: () => PromiseLike<unknown>,
  message?: string,
): Promise<unknown>;
/** The promise of `run` rejects with an error of the class. */
export function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  run: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E> | string,
  includes?: string,
  message?: string,
): Promise<unknown> {
  let promise: unknown;
  try {
    promise = run();
  } catch {
    return fail(describe("Function throws instead of rejecting", errorClass));
  }
  try {
    await promise;
  } catch (error) {
    return checked(error, errorClass, includes, message);
  }
  return fail(describe("Expected function to reject", errorClass, message));
}

function checked<E extends Error>(
  error: unknown,
  errorClass: ErrorClass<E> | string | undefined,
  includes: string | undefined,
  message: string | undefined,
): unknown {
  if (typeof errorClass === "function") {
    assertIsError(error, errorClass, includes, message);
  }
  return error;
}

function describe(
  what: string,
  errorClass?: ErrorClass<Error> | string,
  message?: string,
): string {
  const note = typeof errorClass === "string" ? errorClass : message;
  return what + (note === undefined ? "" : `: ${note}`);
}

function expected(actual: unknown, what: string, message?: string): never {
  throw new AssertionError(
    `Expected ${show(actual)} ${what}${suffix(message)}`,
  );
}

function suffix(message?: string): string {
  return message === undefined ? "." : `: ${message}`;
}

function show(value: unknown): string {
  return inspect(value, { depth: 10, maxArrayLength: 200, sorted: true });
}

/** node:assert compares line by line, and shortens what agrees. */
function difference(actual: unknown, expectedValue: unknown): string {
  try {
    deepStrictEqual(actual, expectedValue);
  } catch (error) {
    if (error instanceof Error) {
      return error.message.slice(error.message.indexOf("\n") + 1).trim();
    }
  }
  return `${show(actual)}\n\nis not\n\n${show(expectedValue)}`;
}
