/** The HTTP server of several workers, replaced while clients ask. */
import { assert, assertEquals } from "@std/assert";
import { Agent, get } from "node:http";
import { test } from "./support/descriptors.ts";
import { Program } from "./support/process.ts";
import { within } from "./support/within.ts";

const CLIENTS = 8;
/** Each comes while clients ask, and after the workers of the one before serve. */
const RELOADS = 3;

/** One request of a client that keeps its connection; the answer's text. */
function request(port: number, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get({ port, host: "127.0.0.1", agent }, async (answer) => {
    let text = "";
    for await (const chunk of answer) text += chunk;
    resolve(`${answer.statusCode} ${text}`);
  }).on("error", reject);
  return promise;
}

for (const share of ["reuseport", "exclusive", "handover"]) {
  test(`http_workers.ts: no request fails while the workers are replaced, ${share}`, async () => {
    await using server = Program.deno("examples/http_workers.ts", {
      args: ["0", "2", share],
    });
    const port = await server.port();
    using clients = new DisposableStack();
    let asks = true;
    const counts = Array.from({ length: CLIENTS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      clients.defer(() => agent.destroy());
      let count = 0;
      while (asks) {
        assertEquals(await request(port, agent), "200 hello\n");
        count++;
      }
      return count;
    });
    for (let count = 0; count < RELOADS; count++) {
      server.signal("SIGHUP");
      for (let each = 0; each < 200; each++) {
        const agent = new Agent();
        assertEquals(await within(request(port, agent)), "200 hello\n");
        agent.destroy();
      }
    }
    asks = false;
    for (const count of await within(Promise.all(counts))) assert(count > 0);
    clients.dispose();
    server.signal("SIGTERM");
    const { code, stderr } = await server.finished();
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
  });
}
