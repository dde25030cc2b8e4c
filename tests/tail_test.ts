/** The example that follows a file, as a user runs it. */
import { assertEquals } from "@std/assert";
import { scopedFlag } from "./ffi_scoped_flag.ts";
import { test } from "./support/descriptors.ts";
import { Program, runDeno } from "./support/process.ts";
import { until } from "./support/within.ts";

/** A directory, and the example following a file of it. */
function tailTest(
  name: string,
  content: string | null,
  run: (path: string, tail: Program) => Promise<void>,
): void {
  test(`tail.ts ${name}`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "edgewise-" });
    try {
      const path = `${directory}/log`;
      if (content !== null) await Deno.writeTextFile(path, content);
      await using tail = Program.deno("examples/tail.ts", {
        flags: ["--no-prompt", scopedFlag],
        args: [path],
      });
      const begun = content === null ? "waiting for" : "following";
      await until(() => tail.stderr === `${begun} ${path}\n`);
      await run(path, tail);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

async function append(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text, { append: true });
}

tailTest(
  "prints what is appended, and nothing else",
  "old\n",
  async (path, tail) => {
    await append(path, "one\n");
    await until(() => tail.stdout === "one\n");
    await append(path, "no end");
    await append(path, "\n");
    await until(() => tail.stdout === "one\nno end\n");
    const large = "0123456789abcdef".repeat(100_000);
    await append(path, large);
    await until(() => tail.stdout.length === 11 + large.length);
    await append(`${path}.other`, "another file");
    await append(path, "\n");
    await until(() => tail.stdout === `one\nno end\n${large}\n`);
  },
);

tailTest(
  "starts over when the file is cut",
  "old\nold\n",
  async (path, tail) => {
    await append(path, "one\n");
    await until(() => tail.stdout === "one\n");
    await Deno.truncate(path, 0);
    await until(() => tail.stderr.endsWith(`${path} was cut\n`));
    await append(path, "two\n");
    await until(() => tail.stdout === "one\ntwo\n");
  },
);

tailTest(
  "goes on with the file that takes the name of one that was moved",
  "",
  async (path, tail) => {
    await append(path, "one\n");
    await Deno.rename(path, `${path}.1`);
    // Who has it open still writes to it.
    await append(`${path}.1`, "two\n");
    await until(() => tail.stdout === "one\ntwo\n");
    await append(path, "three\n");
    await until(() => tail.stdout === "one\ntwo\nthree\n");
    await append(`${path}.1`, "old");
    await append(path, "four\n");
    await until(() => tail.stdout === "one\ntwo\nthree\nfour\n");
  },
);

tailTest(
  "goes on with a file that is put in its place, or made anew",
  "",
  async (path, tail) => {
    await append(`${path}.new`, "one\n");
    await Deno.rename(`${path}.new`, path);
    await until(() => tail.stdout === "one\n");
    await Deno.remove(path);
    await append(path, "two\n");
    await until(() => tail.stdout === "one\ntwo\n");
  },
);

tailTest("waits for a file that is not there yet", null, async (path, tail) => {
  await append(path, "one\n");
  await until(() => tail.stdout === "one\n");
});

test("tail.ts says what it can't follow", async () => {
  const missing = await runDeno("examples/tail.ts", { flags: ["--allow-ffi"] });
  assertEquals(missing.stderr, "The file to follow must be named\n");
  const nowhere = await runDeno("examples/tail.ts", {
    flags: ["--allow-ffi"],
    args: ["nowhere/log"],
  });
  assertEquals(
    nowhere.stderr,
    "inotify_add_watch: ENOENT (no such file or directory), address nowhere\n",
  );
  assertEquals([missing.code, nowhere.code], [1, 1]);
});
