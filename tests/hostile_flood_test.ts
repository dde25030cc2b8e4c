/** More clients than there are descriptors, wave after wave. */
import { assert, assertEquals } from "@std/assert";
import type { ExhaustedPolicy } from "../mod.ts";
import type { ExhaustedReport } from "./children/net_exhausted.ts";
import { test } from "./support/descriptors.ts";
import { Peer } from "./support/net_peer.ts";
import { denoArgs, Program } from "./support/process.ts";
import { until } from "./support/within.ts";

/** Descriptors of the server, its runtime's included. */
const LIMIT = 100;
const WAVES = 5;
const WAVE = 200;

/** What comes back for a message. */
async function answer(peer: Peer, message: string): Promise<string> {
  peer.send(message);
  let text = "EAGAIN";
  await until(() => (text = peer.receiveText()) !== "EAGAIN");
  return text;
}

for (const policy of ["wait", "shed", "closeIdle"] as ExhaustedPolicy[]) {
  test(`waves of clients beyond the limit of descriptors pass, and one stays served ("${policy}")`, async () => {
    const script = "tests/children/net_exhausted.ts";
    const args = denoArgs(script, { flags: ["--allow-ffi"], args: [policy] });
    const limited = `ulimit -n ${LIMIT}; exec "$@"`;
    const command = ["-c", limited, "sh", Deno.execPath(), ...args];
    await using server = new Program("sh", command);
    const port = await server.port();
    // With "closeIdle" it is idle for long, as waves go.
    using first = Peer.connect(port);
    const served = async () => {
      if (policy === "closeIdle") return;
      assertEquals(await answer(first, "!"), "!");
    };
    for (let wave = 0; wave < WAVES; wave++) {
      const peers = Array.from({ length: WAVE }, () => Peer.connect(port));
      for (const [index, peer] of peers.entries()) {
        peer.trySend("hello");
        if (index % 10 === 0) await served();
      }
      for (const [index, peer] of peers.entries()) {
        if (index % 2 === 0) peer.reset();
        else peer.close();
      }
      await served();
    }
    first.close();
    // All are gone, and a new one is served.
    using last = Peer.connect(port);
    let report: ExhaustedReport;
    do report = JSON.parse(await answer(last, "?")); while (
      report.connections > 1
    );
    assertEquals(report.connections, 1);
    assert(server.stdout.includes("EMFILE"), "it ran out of descriptors");
  });
}
