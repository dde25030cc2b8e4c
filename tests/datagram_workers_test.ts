/** Datagram sockets of several workers behind one port. */
import { assert, assertEquals } from "@std/assert";
import { Engine, EngineWorker } from "../mod.ts";
import { test } from "./support/descriptors.ts";
import { bytesOf, runUntil } from "./support/net_engine.ts";
import type { Answerer } from "./workers/datagram_answerer.ts";

test("workers that share a port each serve some of the senders, and each sender one of them", async () => {
  const module = new URL("./workers/datagram_answerer.ts", import.meta.url);
  const start = async (data: Answerer) => {
    const worker = new EngineWorker(module, { data });
    return { worker, port: await worker.ready as number };
  };
  const first = await start({ port: 0, name: "first" });
  const second = await start({ port: first.port, name: "second" });
  assertEquals(second.port, first.port);

  using engine = new Engine();
  const answers = Array.from({ length: 64 }, () => new Set<string>());
  let count = 0;
  const remote = { port: first.port };
  const clients = answers.map((names) =>
    engine.datagram({ remote }, {
      data(_datagram, chunk) {
        names.add(new TextDecoder().decode(chunk));
        count++;
      },
    })
  );
  for (let round = 1; round <= 3; round++) {
    for (const client of clients) client.send(bytesOf("who is there?"));
    runUntil(engine, () => count === 64 * round);
  }
  assert(answers.every((names) => names.size === 1));
  const all = new Set(answers.flatMap((names) => [...names]));
  assertEquals([...all].sort(), ["first", "second"]);
  engine.close();
  await Promise.all([first.worker.stop(), second.worker.stop()]);
});
