/** The stress of `stress/post_stress.ts`, with fewer messages than it takes by itself. */
import { assertEquals } from "@std/assert";
import { runDeno } from "./support/process.ts";
import { scenarios } from "./stress/scenarios.ts";

const SENDERS = 8;
const MESSAGES = 5000;

for (const { name } of scenarios) {
  Deno.test(`${SENDERS} workers lose, tear, double and reorder nothing they post: ${name}`, async () => {
    const args = ["--scenario", name, "--senders", `${SENDERS}`];
    const { code, stdout, stderr } = await runDeno(
      "tests/stress/post_stress.ts",
      { args: [...args, "--messages", `${MESSAGES}`] },
    );
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const [line] = stdout.split(" MiB");
    const expected = `${name}: ${SENDERS * MESSAGES} messages, `;
    assertEquals(line.startsWith(expected), true, stdout);
  });
}
