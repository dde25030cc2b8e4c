/**
 * `deno task mutate`: breaks the engine on purpose, one way at a time, in a copy
 * of the project, and shows that the model catches each.
 */
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutation, MUTATIONS } from "./mutation_list.ts";

const PARTS = ["deno.json", "mod.ts", "src", "ffi", "tests"];
/** Fixed, so that what is caught here is caught everywhere. */
const SEED = 1;
const STEPS_MAX = 100_000;
/** A mutation that makes the engine go on for ever proves nothing. */
const LIMIT_MS = 120_000;

/** Where a mutation was caught; null if it was not. */
interface Caught {
  readonly seed: string;
  readonly steps: string;
  readonly why: string;
}

/** Changes one file of a copy; the text must stand there exactly once. */
function apply(directory: string, { name, file, from, to }: Mutation): void {
  const path = join(directory, file);
  const text = readFileSync(path, "utf8");
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`Cannot ${name}: ${file} does not have its text once`);
  }
  writeFileSync(path, before + to + after);
}

/** Runs a program in a copy of the project, with a mutation or as it is. */
async function judge(
  program: Mutation["program"],
  mutation: Mutation | null,
): Promise<Caught | null> {
  const directory = mkdtempSync(join(tmpdir(), "edgewise-mutation-"));
  try {
    for (const part of PARTS) {
      cpSync(part, join(directory, part), { recursive: true });
    }
    if (mutation !== null) apply(directory, mutation);
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-lock",
        "--no-check",
        "--allow-all",
        `--import-map=${importMap}`,
        "tests/simulation/main.ts",
        ...["--seed", String(SEED), "--steps", String(STEPS_MAX)],
        ...["--program", program],
      ],
      cwd: directory,
      stdin: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { code, stdout, stderr } = await command.output();
    if (code === 0) return null;
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    const why = /^FAILED: (?:Violation: )?(.*)$/m.exec(text)?.[1];
    const seed = /--seed (\d+)/.exec(text)?.[1];
    const steps = /^(\d+) steps/m.exec(text)?.[1];
    if (why === undefined || seed === undefined || steps === undefined) {
      throw new Error(`${program}: ${decoder.decode(stderr)}${text}`);
    }
    return { why, seed, steps };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Does several pieces of work at a time. */
async function each<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

function describe({ seed, steps, why }: Caught): string {
  return `seed ${seed}, step ${steps}: ${why}`;
}

const importMap = Deno.args[0] ?? "deno.json";
let wrong = 0;

// What fails by itself would catch everything.
const programs = [...new Set(MUTATIONS.map(({ program }) => program))];
await each(programs, async (program) => {
  const caught = await judge(program, null);
  if (caught === null) return;
  wrong++;
  console.log(`${program} fail without a mutation, ${describe(caught)}`);
});
await each(MUTATIONS, async (mutation) => {
  const { name, program } = mutation;
  const caught = await judge(program, mutation);
  if (caught === null) wrong++;
  const outcome = caught === null
    ? `NOT CAUGHT in ${STEPS_MAX} steps`
    : describe(caught);
  console.log(`${name.padEnd(46)} ${program}, ${outcome}`);
});
console.log(
  wrong === 0
    ? `${MUTATIONS.length} mutations, all caught`
    : `${wrong} of ${MUTATIONS.length} mutations and programs are wrong`,
);
if (wrong > 0) Deno.exit(1);
