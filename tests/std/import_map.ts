/**
 * Prints the import map that tests run with: `deno.json`, so the real `@std`,
 * where the JSR registry answers, otherwise the stand-ins beside this file.
 */
const specifiers = ["@std/assert", "@std/cli/parse-args", "@std/testing/bdd"];

/** A registry that a firewall drops would otherwise be waited for without end. */
const TIMEOUT_MS = 5_000;

async function registryAnswers(): Promise<boolean> {
  try {
    for (const specifier of specifiers) await import(specifier);
    return true;
  } catch {
    return false;
  }
}

const timeout = new Promise<boolean>((resolve) => {
  setTimeout(resolve, TIMEOUT_MS, false);
});
const answers = await Promise.race([registryAnswers(), timeout]);
console.log(answers ? "deno.json" : "tests/std/import_map.json");
Deno.exit(0);
