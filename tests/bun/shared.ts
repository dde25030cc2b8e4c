/**
 * Prints the test files that can run under any runtime: those that name none, nor
 * does what they import, but for the runner, and that load nothing from a
 * registry in Deno's way.
 *
 *     bun test $(bun tests/bun/shared.ts)
 */
import { posix } from "node:path";
import {
  codeOf,
  importsOf,
  type SourceFile,
  sourceFiles,
} from "../support/source_files.ts";

const RUNNER = "tests/support/runner.ts";

const files = new Map(
  sourceFiles(["tests", "examples"], [".ts"]).map((file) => [file.path, file]),
);

/** The files beside the module that one imports for what it does, itself included. */
function reach(path: string, seen: Set<string> = new Set()): Set<string> {
  const file = files.get(path);
  if (file === undefined || path === RUNNER || seen.has(path)) return seen;
  seen.add(path);
  for (const { specifier, typesOnly } of importsOf(file.text)) {
    if (!typesOnly && specifier.startsWith(".")) {
      reach(posix.join(posix.dirname(path), specifier), seen);
    }
  }
  return seen;
}

function needsDeno(file: SourceFile | undefined): boolean {
  return file !== undefined && (/\bDeno\./.test(codeOf(file.text, "keep")) ||
    importsOf(file.text).some(({ specifier }) =>
      /^(npm|jsr):/.test(specifier)
    ));
}

const shared = [...files.keys()].filter((path) =>
  path.endsWith("_test.ts") &&
  ![...reach(path)].some((reached) => needsDeno(files.get(reached)))
);
console.log(shared.map((path) => `./${path}`).join("\n"));
