/** Waiting for what must happen, for so long and no longer. */

/** Enough for a loaded machine; what works is never near it. */
const PATIENCE_MS = 60_000;

/** The promise's result; fails if that does not come. */
export async function within<T>(
  promise: Promise<T>,
  what = "the promise",
  timeoutMs: number = PATIENCE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} took more than ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets the event loop go round until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`It never came to ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
