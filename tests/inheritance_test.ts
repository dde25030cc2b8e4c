/** What a child process gets of the engine's descriptors: nothing. */
import process from "node:process";
import { assertEquals } from "@std/assert";
import { execFileSync } from "node:child_process";
import { openDescriptors } from "./support/descriptors.ts";
import { engineTest, Recorder, runUntil } from "./support/net_engine.ts";
import { PeerListener } from "./support/net_peer.ts";

engineTest(
  "a child process holds none of the engine's descriptors",
  (engine) => {
    const before = openDescriptors();
    using server = new PeerListener();
    const recorder = new Recorder();
    const path = `\0edgewise-${process.pid}-inheritance`;
    const listeners = [
      engine.listen({}, recorder.handlers()),
      engine.listen({ hostname: "::1" }, recorder.handlers()),
      engine.listen({ path }, recorder.handlers()),
    ];
    for (const listener of listeners) {
      const { port } = listener;
      engine.connect(
        port === 0 ? { path } : {
          port,
          hostname: "host" in listener.localAddress
            ? listener.localAddress.host
            : "",
        },
        {},
      );
    }
    engine.connect({ port: server.port }, {});
    runUntil(engine, () => recorder.opened.length === 3);

    const mine = [...openDescriptors()].filter(([fd]) => !before.has(fd))
      .map(([, target]) => target);
    // Three listeners, three connections with two ends, one with one, the server.
    assertEquals(mine.length, 11);
    const listing = execFileSync("ls", ["-l", "/proc/self/fd"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    const inherited = mine.filter((target) => listing.includes(target));
    assertEquals(inherited, []);
    // The engine's own descriptor: all such have the same name.
    assertEquals(listing.includes("anon_inode:[eventpoll]"), false);
  },
);
