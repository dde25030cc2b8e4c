/**
 * The descriptors of this process. A runtime's sanitizer doesn't see what libc
 * opened, so tests compare the kernel's own list before and after.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import "./load_libraries.ts";
import { declareTest } from "./runner.ts";

/**
 * Bun 1.4 opens event loops when it needs them, closes those of ended workers when
 * it likes to, and looks at its memory now and then. It can't be told what of that
 * is the test's: runs under Deno do.
 */
const OF_BUN = /\[event(fd|poll)\]$|^\/proc\/\d+\/statm$/;

/** The open descriptors, but for those that are the runtime's own business. */
export function openDescriptors(): Map<number, string> {
  const open = everyDescriptor();
  if (!("Bun" in globalThis)) return open;
  return new Map([...open].filter(([, target]) => !OF_BUN.test(target)));
}

/** Each open descriptor and what it points at, such as `socket:[4711]`. */
export function everyDescriptor(): Map<number, string> {
  const open = new Map<number, string>();
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      open.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The descriptor that listed the directory: it is closed by now.
    }
  }
  return open;
}

/** How long the runtime's own threads may take to close what they hold. */
const SETTLE_MS = 3_000;

/** Runs `fn`, and fails if it left descriptors open, or closed others' ones. */
export async function assertNoLeaks(
  fn: () => void | Promise<void>,
  settleMs: number = SETTLE_MS,
): Promise<void> {
  await releaseEndedWorker();
  const before = openDescriptors();
  await fn();
  const deadline = performance.now() + settleMs;
  let after = openDescriptors();
  while (changes(before, after).length > 0) {
    if (performance.now() >= deadline) {
      const list = changes(before, after).join("\n");
      throw new Error(`Descriptors changed:\n${list}`);
    }
    await sleep(5);
    await releaseEndedWorker();
    after = openDescriptors();
  }
}

/** A test under which no operation, resource or descriptor may be left behind. */
export function test(name: string, fn: () => void | Promise<void>): void {
  declareTest(name, () => assertNoLeaks(fn));
}

function changes(
  before: Map<number, string>,
  after: Map<number, string>,
): string[] {
  const missingFrom = (what: string, a: typeof before, b: typeof before) =>
    [...a].filter(([fd, target]) => b.get(fd) !== target)
      .map(([fd, target]) => `${what}: ${fd} → ${target}`);
  return [
    ...missingFrom("left open", after, before),
    ...missingFrom("closed", before, after),
  ];
}

let releases = 0;

/**
 * Deno 2.9.6 keeps the event loop of the last Worker that ended, an eventfd and
 * an epoll descriptor, until it next loads a module that it has not loaded yet.
 */
async function releaseEndedWorker(): Promise<void> {
  releases++;
  await import(`data:text/javascript,export default ${releases}`);
}
