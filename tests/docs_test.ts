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
