/**
 * Stopping code between its steps on shared memory, so that a test can do there
 * what another thread might, or end it for good.
 */

const atomics = globalThis.Atomics;

/** Runs `fn`, and calls `before` with a count ahead of each call of `Atomics`. */
export function withSteps<T>(fn: () => T, before: (step: number) => void): T {
  let step = 0;
  const standIn = new Proxy(atomics, {
    get(target, name) {
      const operation: unknown = Reflect.get(target, name);
      if (typeof operation !== "function") return operation;
      return (...args: unknown[]) => {
        const current = step++;
        withAtomics(atomics, () => before(current));
        return Reflect.apply(operation, target, args);
      };
    },
  });
  return withAtomics(standIn, fn);
}

function withAtomics<T>(value: unknown, fn: () => T): T {
  const before = globalThis.Atomics;
  set(value);
  try {
    return fn();
  } finally {
    set(before);
  }
}

function set(value: unknown): void {
  const attributes = { value, writable: true, configurable: true };
  Object.defineProperty(globalThis, "Atomics", attributes);
}
