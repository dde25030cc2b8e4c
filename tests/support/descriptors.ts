/**
 * The descriptors of this process. Deno's resource sanitizer doesn't see what
 * libc opened, so tests compare the kernel's own list before and after.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Each open descriptor and what it points at, such as `socket:[4711]`. */
export function openDescriptors(): Map<number, string> {
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

/** How many descriptors are open. */
export function countDescriptors(): number {
  return openDescriptors().size;
}

/** Runs `fn`, and fails if it left descriptors open, or closed others' ones. */
export async function assertNoLeaks(
  fn: () => void | Promise<void>,
): Promise<void> {
  const before = openDescriptors();
  await fn();
  const changes = await settledChanges(before);
  if (changes.length > 0) {
    throw new Error(`Descriptors changed:\n${changes.join("\n")}`);
  }
}

/**
 * A Deno.test under which no operation, resource or descriptor may be left
 * behind.
 */
export function test(
  name: string,
  fn: (context: Deno.TestContext) => void | Promise<void>,
): void {
  Deno.test({
    name,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: (context) => assertNoLeaks(() => fn(context)),
  });
}

/** How long the runtime's own threads may take to close what they hold. */
const SETTLE_MS = 1_000;

/** The changes that remain once the runtime's threads had time to close theirs. */
async function settledChanges(before: Map<number, string>): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS;
  let changes = changesSince(before);
  while (changes.length > 0 && performance.now() < deadline) {
    await sleep(5);
    changes = changesSince(before);
  }
  return changes;
}

function changesSince(before: Map<number, string>): string[] {
  const after = openDescriptors();
  const changes: string[] = [];
  for (const [fd, target] of after) {
    if (before.get(fd) !== target) changes.push(`left open: ${fd} → ${target}`);
  }
  for (const [fd, target] of before) {
    if (!after.has(fd)) changes.push(`closed: ${fd} → ${target}`);
  }
  return changes;
}
