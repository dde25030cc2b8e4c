/** Examples as programs of this runtime, with a client that knows neither. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const RUN = "Bun" in globalThis ? [] : ["run", "--quiet", "--no-lock", "-A"];

for (const example of ["echo_edge.ts", "echo_level.ts", "echo_workers.ts"]) {
  test(`${example} echoes`, async () => {
    const script = new URL(`../../examples/${example}`, import.meta.url);
    const args = [...RUN, fileURLToPath(script), "0"];
    const server = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = await once(server.stdout, "data");
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(String(line))?.[1];
      assert.equal(await echoed(Number(port), "hello"), "hello");
    } finally {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
  });
}

/** What comes back for a text, up to the end. */
async function echoed(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}
