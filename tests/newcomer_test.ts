/**
 * The README as a newcomer tries it: in a directory of their own, with the module
 * from the registry, by the commands that stand there.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "./support/descriptors.ts";
import { ForeignClient, isInstalled } from "./support/foreign_client.ts";
import { Program, PROJECT } from "./support/process.ts";

const README = readFileSync(new URL("README.md", PROJECT), "utf8");

const CONFIG: { name: string; exports: Record<string, string> } = JSON.parse(
  readFileSync(new URL("deno.json", PROJECT), "utf8"),
);
/** Where the entry points are, by what a program imports them as. */
const ENTRIES = Object.entries(CONFIG.exports).map(([name, path]) =>
  [CONFIG.name + name.slice(1), new URL(path, PROJECT).href] as const
);

/** A section of the README: its programs, and the commands that run them. */
interface Section {
  files: Map<string, string>;
  commands: string[];
}

/** What stands under a heading. Programs name their files in the first line. */
function section(heading: string): Section {
  const [, text = ""] = README.split(`\n## ${heading}\n`);
  const files = new Map<string, string>();
  const commands: string[] = [];
  const blocks = text.split("\n## ")[0]
    .matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms);
  for (const [, language, code = ""] of blocks) {
    const name = code.match(/^\/\/ (\w+\.ts)\n/)?.[1];
    if (language === "ts" && name !== undefined) files.set(name, code);
    else commands.push(...code.trimEnd().split("\n"));
  }
  assert(files.size > 0 && commands.length > 0, heading);
  return { files, commands };
}

/** An empty directory, but for what `deno add` writes. It is removed after use. */
class Directory implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "newcomer-"));

  constructor(files: Map<string, string>) {
    const imports = Object.fromEntries(ENTRIES);
    writeFileSync(join(this.path, "deno.json"), JSON.stringify({ imports }));
    for (const [name, code] of files) {
      writeFileSync(join(this.path, name), code);
    }
  }

  /** Starts a command as it stands, with this Deno. */
  start(command: string): Program {
    const [program = "", ...words] = command.split(" ").map((word) =>
      word === "deno" ? Deno.execPath() : word
    );
    return new Program(program, words, { cwd: this.path });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Runs a section's first command that starts with `word`. */
function newcomerTest(
  heading: string,
  word: string,
  run: (program: Program) => Promise<void>,
): void {
  test(`README, ${heading}: ${word} …`, async () => {
    const { files, commands } = section(heading);
    using directory = new Directory(files);
    const command = commands.find((command) => command.startsWith(word)) ?? "";
    await using program = directory.start(command);
    await run(program);
    // Nothing was written beside what the reader has written.
    assertEquals(
      readdirSync(directory.path).sort(),
      [...files.keys(), "deno.json"].sort(),
    );
  });
}

/** A section whose program prints this, and ends. */
function printsTest(heading: string, stdout: string): void {
  newcomerTest(heading, "deno run", async (program) => {
    assertEquals(await program.finished(), {
      code: 0,
      signal: null,
      stdout,
      stderr: "",
    });
  });
}

newcomerTest("A first server", "deno run", async (program) => {
  const port = await program.port();
  using connection = await Deno.connect({ port });
  await connection.write(new TextEncoder().encode("mine\n"));
  await connection.closeWrite();
  assertEquals(
    await new Response(connection.readable).text(),
    "hello\nmine\n",
  );
  if (!(await isInstalled("nc"))) return console.log("nc is not installed");
  await using nc = new ForeignClient("nc", ["127.0.0.1", String(port)]);
  await nc.hears("hello\n");
  await nc.exchange("mine");
  assertEquals(program.stderr, "");
});

printsTest("Any descriptor", "3n\n");
printsTest("Waking an engine from another worker", "from the worker\n");
printsTest("Code written for Deno.listen", "hello\n");

for (const word of ["deno run", "env"]) {
  newcomerTest("Signals", word, async (program) => {
    await program.waitFor(/^waiting\n/);
    program.signal("SIGUSR1");
    await program.waitFor(new RegExp(`^SIGUSR1 from ${Deno.pid}\n`, "m"));
    program.signal("SIGTERM");
    const { code, signal, stderr } = await program.finished();
    assertEquals({ code, signal, stderr }, {
      code: 0,
      signal: null,
      stderr: "",
    });
  });
}

test("the README's programs pass the type checker as they stand", async () => {
  const headings = [
    ...README.matchAll(/^## (.*)\n(?:(?!^## )[^])*?^\/\/ \w+\.ts$/gm),
  ]
    .map(([, heading = ""]) => heading);
  assertEquals(headings.length, 5);
  const files = new Map(
    headings.flatMap((heading) => [...section(heading).files]),
  );
  using directory = new Directory(files);
  await using check = directory.start(
    `deno check ${[...files.keys()].join(" ")}`,
  );
  const { code, stderr } = await check.finished();
  assertEquals(code, 0, stderr);
});

test("every entry point is imported, and opens no library by that", async () => {
  const lines = ENTRIES.map(([name]) =>
    `console.log(Object.keys(await import("${name}")).length > 0);\n`
  );
  using directory = new Directory(new Map([["entries.ts", lines.join("")]]));
  await using program = directory.start("deno run --no-prompt entries.ts");
  const { code, stdout, stderr } = await program.finished();
  assertEquals([code, stdout, stderr], [0, "true\n".repeat(4), ""]);
});

test("each program of the README names the command that runs it", () => {
  const commands = README.match(/^(?:env .*)?deno run .*$/gm) ?? [];
  for (const [, name] of README.matchAll(/^\/\/ (\w+\.ts)$/gm)) {
    if (name?.endsWith("_worker.ts")) continue;
    assert(commands.some((command) => command.endsWith(` ${name}`)), name);
  }
  for (const command of commands) {
    assertMatch(command, /--allow-ffi\b/);
    assert(!/--allow-(all|net|sys|env|run|write)/.test(command), command);
  }
});
