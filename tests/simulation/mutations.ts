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

/** Runs the simulation in a copy of the project that has the mutation. */
async function judge(
  mutation: Mutation,
  importMap: string,
): Promise<Caught | null> {
  const directory = mkdtempSync(join(tmpdir(), "edgewise-mutation-"));
  try {
    for (const part of PARTS) {
      cpSync(part, join(directory, part), { recursive: true });
    }
    apply(directory, mutation);
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-lock",
        "--no-check",
        "--allow-all",
        `--import-map=${importMap}`,
        "tests/simulation/main.ts",
        ...["--seed", String(SEED), "--steps", String(STEPS_MAX)],
        ...["--program", mutation.program],
      ],
      cwd: directory,
      stdin: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    if (code === 0) return null;
    const why = /^FAILED: (?:Violation: )?(.*)$/m.exec(text)?.[1];
    const seed = /--seed (\d+)/.exec(text)?.[1];
    const steps = /^(\d+) steps/m.exec(text)?.[1];
    if (why === undefined || seed === undefined || steps === undefined) {
      throw new Error(`${mutation.name}: ${decoder.decode(stderr)}${text}`);
    }
    return { why, seed, steps };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const importMap = Deno.args[0] ?? "deno.json";
const waiting = [...MUTATIONS];
let survived = 0;

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const caught = await judge(next, importMap);
    if (caught === null) survived++;
    const outcome = caught === null
      ? `NOT CAUGHT in ${STEPS_MAX} steps`
      : `seed ${caught.seed}, step ${caught.steps}: ${caught.why}`;
    console.log(`${next.name.padEnd(44)} ${next.program}, ${outcome}`);
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work));
console.log(`${MUTATIONS.length - survived} of ${MUTATIONS.length} caught`);
if (survived > 0) Deno.exit(1);
