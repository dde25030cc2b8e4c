/** What the documents name exists: files, tasks, versions. */
import { declareTest } from "./support/runner.ts";
import { assert, assertEquals } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { PROJECT } from "./support/process.ts";
import { sourceFiles } from "./support/source_files.ts";

interface Config {
  name: string;
  version: string;
  exports: Record<string, string>;
  tasks: Record<string, { command: string; description: string }>;
  publish: { include: string[] };
}

const config: Config = JSON.parse(read("deno.json"));
const documents = sourceFiles([
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "examples/manual",
], [".md"]);
const sources = sourceFiles(
  ["mod.ts", "src", "ffi", "tests", "examples", "bench", ".ci"],
  [""],
).map(({ path }) => path);

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, PROJECT)), "utf8");
}

function exists(path: string): boolean {
  return existsSync(fileURLToPath(new URL(path, PROJECT)));
}

for (const { path, text } of documents) {
  declareTest(`every file that ${path} names exists`, () => {
    const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)]
      .map(([, name = ""]) => name);
    const missing = named.filter((name) =>
      !sources.some((source) => source === name || source.endsWith(`/${name}`))
    );
    assertEquals(missing, []);
  });

  declareTest(`every relative link of ${path} leads to a file`, () => {
    const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
      .map(([, link = ""]) => posix.join(posix.dirname(path), link));
    assertEquals(links.filter((link) => !exists(link)), []);
  });

  declareTest(`every task that ${path} names exists`, () => {
    const named = [...text.matchAll(/\b(?:deno|deno@[\d.]+) task (\w+)/g)]
      .map(([, name = ""]) => name);
    assertEquals(named.filter((name) => !(name in config.tasks)), []);
  });
}

declareTest("every exported entry point exists", () => {
  const missing = Object.values(config.exports).filter((path) => !exists(path));
  assertEquals(missing, []);
});

declareTest("everything that is to be published exists", () => {
  assertEquals(config.publish.include.filter((path) => !exists(path)), []);
});

declareTest("every task says what it is for", () => {
  for (const task of Object.values(config.tasks)) assert(task.description);
});

declareTest("CHANGELOG.md opens with the version of deno.json", () => {
  const version = read("CHANGELOG.md").match(/^## (\d+\.\d+\.\d+\S*)/m)?.[1];
  assertEquals(version, config.version);
});

declareTest("nothing is published but the module and its documents", () => {
  const documents = config.publish.include.filter((path) =>
    /^[A-Z]/.test(path)
  );
  assertEquals(
    config.publish.include.filter((path) => !documents.includes(path)),
    ["mod.ts", "ffi/", "src/", "deno.json"],
  );
});

for (const [name, path] of Object.entries(config.exports)) {
  declareTest(
    `the entry point ${name} opens with what it is, and an example`,
    () => {
      const [comment = ""] = read(path).match(/^\/\*\*.*?\*\//s) ?? [];
      assert(comment.includes("\n * ```ts"), path);
      assert(comment.includes(`from "${config.name}${name.slice(1)}"`), path);
      assert(comment.includes("\n * @module\n"), path);
    },
  );
}

declareTest(
  "the versions that README.md names are those that are tested",
  () => {
    const named = read("README.md").match(
      /Tested with Deno (\d+\.\d+\.\d+), and with\s+Bun (\d+\.\d+\.\d+)/,
    );
    const [, deno, bun] = named ?? [];
    const checks = read(".ci/run");
    assert(checks.includes(`deno@${deno})`) && checks.includes(`bun@${bun}\n`));
    for (
      const path of [
        ".github/workflows/ci.yml",
        ".github/workflows/publish.yml",
      ]
    ) {
      assert(read(path).includes(`"${deno}"`), path);
    }
  },
);

declareTest(
  "a release runs every check, and is published with provenance",
  () => {
    const workflow = read(".github/workflows/publish.yml");
    assert(workflow.includes("id-token: write"));
    const checked = workflow.indexOf("run: .ci/run\n");
    assert(checked > 0 && checked < workflow.indexOf("run: deno publish"));
  },
);
