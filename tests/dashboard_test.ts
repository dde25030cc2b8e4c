/** The dashboard, in a real browser. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { browserTest, complaints } from "./support/browser.ts";
import { test } from "./support/descriptors.ts";
import { Program, runDeno } from "./support/process.ts";
import { scopedFlag } from "./ffi_scoped_flag.ts";

for (const flag of ["--allow-ffi", scopedFlag]) {
  browserTest(
    `dashboard.ts draws a running engine, with ${flag}`,
    async (browser) => {
      await using server = Program.deno("examples/dashboard.ts", {
        flags: ["--no-prompt", flag],
        args: ["0", "--demo"],
      });
      const url = `http://127.0.0.1:${await server.port()}/`;
      const page = await browser.newPage();
      const found = complaints(page);
      await page.goto(url);
      const drawn = async () => ({
        turns: await page.locator("#turns .value").textContent() ?? "",
        line: await page.locator("#turns .line").getAttribute("d"),
      });

      const reports = "Number(document.body.dataset.reports)";
      await page.waitForFunction(`${reports} >= 2`);
      const before = await drawn();
      const value = "document.querySelector('#turns .value').textContent";
      await page.waitForFunction(
        `${reports} >= 4 && ${value} !== "${before.turns}"`,
      );
      const after = await drawn();
      assertMatch(before.turns, /^[\d,]+$/);
      assertNotEquals(after.turns, before.turns);
      assertNotEquals(after.line, before.line);

      assertEquals(await page.locator("#status").textContent(), "live");
      assertMatch(
        `${await page.locator("#latency .value").textContent()}`,
        /µs · .* µs$/,
      );
      assertEquals(await page.locator(".queue").count(), 8);
      const owners = await page.locator("#descriptors td:nth-child(3)")
        .allTextContents();
      assert(
        owners.includes("Listener") && owners.includes("Inbox"),
        `${owners}`,
      );
      assertEquals(found, []);
      assertEquals(server.stderr, "");
    },
  );
}

test("dashboard.ts answers 404 where there is no page, and refuses a port that is none", async () => {
  await using server = Program.deno("examples/dashboard.ts", { args: ["0"] });
  const answer = await fetch(`http://127.0.0.1:${await server.port()}/other`);
  assertEquals([answer.status, await answer.text()], [404, "Not Found\n"]);
  const { code, stderr } = await runDeno("examples/dashboard.ts", {
    args: ["none"],
  });
  assertEquals(code, 1);
  assertMatch(stderr, /port must be an integer from 0 to 65535, and is none/);
});
