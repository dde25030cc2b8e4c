/** What SECURITY.md says of limits is what the code has. */
import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./support/source_files.ts";

/** Where the options of each verb are. */
const FILES: Record<string, string> = {
  "listen()": "src/net/options.ts",
  "connect()": "src/net/options.ts",
  "adopt()": "src/net/options.ts",
  "datagram()": "src/net/datagram_open.ts",
  "inbox()": "src/inbox.ts",
  "fileIo()": "src/file_io.ts",
  "new Engine()": "src/options.ts",
};

function textOf(path: string): string {
  const [file] = sourceFiles([path], [""]);
  return file.text;
}

/** The default that the documentation of an option gives. */
function documented(path: string, option: string): string | undefined {
  const pattern = new RegExp(
    `@default \\{([^}]*)\\}\\s*(?:\\*/)\\s*${option}\\?:`,
  );
  return textOf(path).match(pattern)?.[1];
}

const rows = [
  ...textOf("SECURITY.md").matchAll(
    /^\| (`.*`) +\| `(\w+)` +\| (.*?) +\|/gm,
  ),
];

Deno.test("SECURITY.md has a table of limits", () => {
  assertEquals(rows.length, 16);
});

for (const [, verbs, option, value] of rows) {
  Deno.test(`SECURITY.md gives the default of ${option} of ${verbs}`, () => {
    for (const verb of verbs.replaceAll("`", "").split(", ")) {
      assert(verb in FILES, verb);
      assertEquals(documented(FILES[verb], option), value);
    }
  });
}
