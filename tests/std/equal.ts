/**
 * Whether two values have the same structure, by the rules of `@std/assert`: 0
 * equals -0, NaN equals NaN, and a key that is missing differs from one that is
 * undefined.
 */
export function equal(left: unknown, right: unknown): boolean {
  return sameStructure(left, right, new Map());
}

type Pairs = Map<object, object>;

function sameStructure(left: unknown, right: unknown, seen: Pairs): boolean {
  if (left === right || Object.is(left, right)) return true;
  if (!isObject(left) || !isObject(right)) return false;
  if (constructorOf(left) !== constructorOf(right)) return false;
  // A pair that is being compared further up: a cycle in both.
  if (seen.get(left) === right) return true;
  seen.set(left, right);

  if (left instanceof Date) {
    return Object.is(left.getTime(), (right as Date).getTime());
  }
  if (left instanceof RegExp || left instanceof URL) {
    return String(left) === String(right);
  }
  if (left instanceof Set) {
    const matches = (a: unknown, b: unknown) => sameStructure(a, b, seen);
    return sameMembers([...left], [...right as Set<unknown>], matches);
  }
  if (left instanceof Map) {
    type Entry = [unknown, unknown];
    const matches = (a: Entry, b: Entry) =>
      sameStructure(a[0], b[0], seen) && sameStructure(a[1], b[1], seen);
    return sameMembers([...left], [...right as typeof left], matches);
  }
  if (left instanceof Error && left.message !== (right as Error).message) {
    return false;
  }
  const leftBytes = bytesOf(left);
  const rightBytes = bytesOf(right);
  if (leftBytes !== null && rightBytes !== null) {
    return leftBytes.length === rightBytes.length &&
      leftBytes.every((byte, index) => byte === rightBytes[index]);
  }
  return sameProperties(left, right, seen);
}

function sameProperties(left: object, right: object, seen: Pairs): boolean {
  const keys = enumerableKeys(left);
  return keys.length === enumerableKeys(right).length &&
    keys.every((key) =>
      Object.hasOwn(right, key) &&
      sameStructure(Reflect.get(left, key), Reflect.get(right, key), seen)
    );
}

/** Each member of `left` has its own match in `right`, in any order. */
function sameMembers<T>(
  left: T[],
  right: T[],
  matches: (a: T, b: T) => boolean,
): boolean {
  return left.length === right.length && left.every((member) => {
    const index = right.findIndex((other) => matches(member, other));
    if (index >= 0) right.splice(index, 1);
    return index >= 0;
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function constructorOf(value: object): unknown {
  return value.constructor ?? Object;
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

/** The bytes of integer arrays and buffers; null for all that is not one. */
function bytesOf(value: object): Uint8Array | null {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    return null;
  }
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    return new Uint8Array(value);
  }
  return null;
}
