/** A process lives as long as something waits that is referenced: as with Deno's own. */
import { assertEquals } from "@std/assert";
import { test } from "./support/descriptors.ts";
import { Program, runDeno } from "./support/process.ts";
import { NETS } from "./support/stream_nets.ts";

const PRINTS: Record<string, string> = {
  "leaves everything open": "",
  "waits unreferenced": "",
  "unreferences what waits": "",
  "reads a stream unreferenced": "",
  "goes on unreferenced": "read\n",
  "references again": "read\n",
};

for (const { name } of NETS) {
  for (const [what, prints] of Object.entries(PRINTS)) {
    test(`a program that ${what} ends by itself (${name})`, async () => {
      const args = [name, what];
      const result = await runDeno("tests/streams_child.ts", { args });
      assertEquals(result, {
        code: 0,
        signal: null,
        stdout: prints,
        stderr: "",
      });
    });
  }

  test(`a program that waits for a client lives until one comes (${name})`, async () => {
    const args = [name, "waits for a client"];
    await using program = Program.deno("tests/streams_child.ts", { args });
    const port = await program.port();
    using _client = await Deno.connect({ port });
    const { code, stdout } = await program.finished();
    assertEquals([code, stdout.split("\n")[1]], [0, "accepted"]);
  });
}
