/** The style of the project, where a machine can check it. */
import { declareTest } from "./support/runner.ts";
import { assertEquals } from "@std/assert";
import { posix } from "node:path";
import config from "../deno.json" with { type: "json" };
import {
  codeOf,
  importsOf,
  type SourceFile,
  sourceFiles,
  topLevel,
} from "./support/source_files.ts";

const LAYOUT = [
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "bench",
  "deno.json",
  "deno.lock",
  "examples",
  "ffi",
  "mod.ts",
  "src",
  "tests",
];

const LINES_MAX = 320;

/** What the package exports, as paths of the project. */
const ENTRY_POINTS = Object.values<string>(config.exports)
  .map((path) => posix.normalize(path));

const published = sourceFiles(["mod.ts", "src", "ffi"], [".ts"]);
const programs = sourceFiles(["examples"], [".ts"]);
const all = sourceFiles(LAYOUT, [".ts", ".md", ".json", ".c", "LICENSE"]);
const THIS_FILE = "tests/tidy_test.ts";

/** Each line that `pattern` finds, as `path:line: text`. */
function findings(files: SourceFile[], pattern: RegExp): string[] {
  return files.filter(({ path }) => path !== THIS_FILE).flatMap((file) =>
    file.text.split("\n").flatMap((line, index) =>
      pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : []
    )
  );
}

/** The files whose name starts with one of the folders. */
function within(files: SourceFile[], ...folders: string[]): SourceFile[] {
  return files.filter(({ path }) =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
  );
}

/** Where an import leads: a path of the project, or the specifier as it is. */
function target({ path }: SourceFile, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  return posix.join(posix.dirname(path), specifier);
}

/** Each import of `files` that `allowed` refuses. */
function badImports(
  files: SourceFile[],
  allowed: (target: string, typesOnly: boolean) => boolean,
): string[] {
  return files.flatMap((file) =>
    importsOf(file.text)
      .filter((module) =>
        !allowed(target(file, module.specifier), module.typesOnly)
      )
      .map((module) => `${file.path} imports ${module.specifier}`)
  );
}

declareTest(
  "the top of the project holds what the layout names and no more",
  () => {
    assertEquals(topLevel().filter((name) => !LAYOUT.includes(name)), []);
  },
);

declareTest("every file of the layout exists", () => {
  const present = topLevel();
  assertEquals(LAYOUT.filter((name) => !present.includes(name)), []);
});

declareTest("mod.ts imports src/ and ffi/ only", () => {
  const bad = badImports(
    within(published, "mod.ts"),
    (to) => /^(src|ffi)\//.test(to),
  );
  assertEquals(bad, []);
});

declareTest(
  "src/ imports itself, ffi/mod.ts, node: and the types of the seam only",
  () => {
    const bad = badImports(
      within(published, "src"),
      (to, typesOnly) =>
        /^src\/|^node:|^ffi\/mod\.ts$/.test(to) ||
        typesOnly && to === "ffi/system_calls.ts",
    );
    assertEquals(bad, []);
  },
);

/** Adds the files of src/ that `path` loads to `seen`. */
function addLoaded(path: string, seen: Set<string>): void {
  const [file] = within(published, path);
  for (const { specifier, typesOnly } of importsOf(file.text)) {
    const to = target(file, specifier);
    if (typesOnly || !to.startsWith("src/") || seen.has(to)) continue;
    seen.add(to);
    addLoaded(to, seen);
  }
}

declareTest(
  "src/modules.ts names each module of src/ that mod.ts loads",
  () => {
    const [list] = within(published, "src/modules.ts");
    const named = importsOf(list.text)
      .map(({ specifier }) => target(list, specifier));
    const seen = new Set([list.path]);
    addLoaded("mod.ts", seen);
    seen.delete(list.path);
    assertEquals(named, [...seen].sort());
  },
);

declareTest("ffi/ imports itself and node: only", () => {
  const bad = badImports(
    within(published, "ffi"),
    (to) => /^ffi\/|^node:/.test(to),
  );
  assertEquals(bad, []);
});

declareTest(
  "examples import the package, each other, node: and exact versions of npm: only",
  () => {
    const bad = badImports(
      programs,
      (to) =>
        ENTRY_POINTS.includes(to) ||
        /^examples\/|^node:|^npm:\w+@\d+\.\d+\.\d+\//.test(to),
    );
    assertEquals(bad, []);
  },
);

declareTest("no code outside ffi/ names a runtime in what is published", () => {
  const code = within(published, "mod.ts", "src").map(({ path, text }) => ({
    path,
    text: codeOf(text, "blank"),
  }));
  assertEquals(findings(code, /\b(Deno|Bun)\b/), []);
});

declareTest("only the runtime files of ffi/ name Deno or Bun", () => {
  const code = within(published, "ffi")
    .filter(({ path }) => !/runtime_(deno|bun)\.ts$/.test(path))
    .map(({ path, text }) => ({ path, text: codeOf(text, "blank") }));
  assertEquals(findings(code, /\b(Deno|Bun)\b/), []);
});

declareTest(
  `no published file or example is longer than ${LINES_MAX} lines`,
  () => {
    const long = [...published, ...programs]
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX);
    assertEquals(long, []);
  },
);

declareTest("nothing is left to do later, and no check is switched off", () => {
  const pattern = new RegExp(
    [
      "\\b(TODO|FIXME|XXX|HACK)\\b",
      "@ts-(ignore|expect-error|nocheck)",
      "deno-(lint|fmt|coverage)-ignore",
    ].join("|"),
  );
  assertEquals(findings(all, pattern), []);
});

declareTest("no code has the type any", () => {
  const code = within(all, "mod.ts", "src", "ffi", "examples", "tests", "bench")
    .filter(({ path }) => path.endsWith(".ts"))
    .map(({ path, text }) => ({ path, text: codeOf(text, "blank") }));
  assertEquals(findings(code, /[:<|&,]\s*any\b|\bas any\b|\bany\[\]/), []);
});

declareTest("no test is skipped, and none runs alone", () => {
  const tests = within(all, "tests").filter(({ path }) =>
    // A machine without strace has nothing to count with, nor one without
    // chromium anything to look with.
    path !== "tests/support/strace.ts" && path !== "tests/support/browser.ts"
  );
  const pattern = /\.(skip|only|ignore|todo)\(|\b(ignore|only|skip): /;
  assertEquals(findings(tests, pattern), []);
});

declareTest("no file names a path of somebody's machine", () => {
  assertEquals(findings(all, /(^|[\s"'`(=])\/(home|root|Users|work)\//), []);
});

declareTest(
  "nothing but an example and the browser's driver is loaded from a registry",
  () => {
    const code = all.filter(({ path }) =>
      path.endsWith(".ts") && !path.startsWith("examples/") &&
      path !== "tests/support/browser.ts"
    );
    const pattern = /\b(https?:\/\/(jsr\.io|deno\.land|esm\.sh)|jsr:|npm:)/;
    assertEquals(
      findings(
        code.map(({ path, text }) => ({ path, text: codeOf(text, "keep") })),
        pattern,
      ),
      [],
    );
  },
);
