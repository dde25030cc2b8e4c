/** Tests under whichever runtime runs them: `deno test` or `bun test`. */

/** Declares a test. */
export type DeclareTest = (
  name: string,
  fn: () => void | Promise<void>,
) => void;

/** In Deno no operation and no resource may be left behind either. */
const inDeno: DeclareTest = (name, fn) =>
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });

async function inBun(): Promise<DeclareTest> {
  const { test } = await import("node:test");
  return (name, fn) => void test(name, async () => await fn());
}

/** Declares a test with the runner of this runtime. */
export const declareTest: DeclareTest = "Bun" in globalThis
  ? await inBun()
  : inDeno;
