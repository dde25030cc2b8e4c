/** A page as a browser sees it: Debian's chromium, without a window. */
import { type Browser, chromium, type Page } from "npm:playwright-core@1.65.1";
import { existsSync } from "node:fs";

/** Debian's chromium, or the browser that hosted machines have. */
const BROWSER = ["/usr/bin/chromium", "/usr/bin/google-chrome"]
  .find((path) => existsSync(path));

/** Nothing of a browser that would look for the world outside. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * A test with a browser. On a machine without chromium it is reported as
 * ignored; continuous integration installs it and allows no ignored test.
 */
export function browserTest(
  name: string,
  fn: (browser: Browser) => Promise<void>,
): void {
  const executablePath = BROWSER;
  Deno.test({
    name,
    ignore: executablePath === undefined,
    // The pipe to the browser is closed by its own end, after the test's.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      if (executablePath === undefined) return;
      const browser = await chromium.launch({ executablePath, args: FLAGS });
      try {
        await fn(browser);
      } finally {
        await browser.close();
      }
    },
  });
}

/** What a page has printed and failed at so far. */
export function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") found.push(message.text());
  });
  page.on("pageerror", (error) => found.push(error.message));
  page.on("requestfailed", (request) => found.push(request.url()));
  return found;
}
