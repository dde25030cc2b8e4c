/** Closing, ending and resetting a connection inside each of its handlers. */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { type Connection, type Engine, SystemError } from "../mod.ts";
import {
  engineTest,
  Recorder,
  runUntil,
  settle,
} from "./support/net_engine.ts";
import { Peer } from "./support/net_peer.ts";

type Moment = "open" | "data" | "drain" | "end" | "error" | "close";

/** What makes each handler run. */
const moments: Record<Moment, (peer: Peer, connection: Connection) => void> = {
  open: () => {},
  data: (peer) => peer.send("x"),
  // More than the kernel takes.
  drain: (_, connection) => connection.write(new Uint8Array(16 * 1024 * 1024)),
  end: (peer) => peer.finish(),
  error: (peer) => peer.reset(),
  close: (_, connection) => connection.close(),
};

const verbs: Record<string, (connection: Connection) => void> = {
  "close()": (connection) => connection.close(),
  "reset()": (connection) => connection.reset(),
  "end()": (connection) => connection.end(),
};

for (const moment of Object.keys(moments) as Moment[]) {
  for (const [verb, use] of Object.entries(verbs)) {
    engineTest(
      `${verb} in ${moment} ends in close, once and last`,
      (engine) => {
        const thrown = useInside(engine, moment, use, verb === "end()");
        // There the end() follows the user's own close().
        if (moment === "close" && verb === "end()") {
          assertInstanceOf(thrown, SystemError);
          assertEquals(thrown.code, "EPIPE");
        } else assertEquals(thrown, undefined);
      },
    );
  }
}

/** Uses a verb in a handler, and sees the connection through to its close. */
function useInside(
  engine: Engine,
  moment: Moment,
  use: (connection: Connection) => void,
  halfClosing: boolean,
): unknown {
  const recorder = new Recorder();
  let used = 0;
  let thrown: unknown;
  const listener = engine.listen(
    {},
    recorder.handlers({
      end: () => {},
      [moment](connection: Connection) {
        if (used++ > 0) return;
        try {
          use(connection);
        } catch (error) {
          thrown = error;
        }
      },
    }),
  );
  using peer = Peer.connect(listener.port);
  runUntil(engine, () => recorder.has("open"));
  if (used === 0) moments[moment](peer, recorder.connection);
  runUntil(engine, () => {
    if (moment === "drain") peer.drain();
    return used > 0;
  });
  // After an end() the other side has to end too.
  if (halfClosing && !recorder.connection.closed) peer.finish();
  runUntil(engine, () => recorder.has("close"));
  settle(engine);
  assertEquals(used, 1);
  assertEquals(recorder.count("close"), 1);
  assertEquals(recorder.log.at(-1), "close");
  const errors = recorder.log.filter((what) => what.startsWith("error"));
  assertEquals(errors, moment === "error" ? ["error ECONNRESET"] : []);
  assertEquals(listener.connections, 0);
  return thrown;
}

engineTest(
  "a connection closed by another's handler in the same batch hears nothing more",
  (engine) => {
    const recorder = new Recorder();
    const others = new Map<Connection, Connection>();
    const listener = engine.listen(
      {},
      recorder.handlers({
        data: (connection) => others.get(connection)?.close(),
      }),
    );
    using first = Peer.connect(listener.port);
    using second = Peer.connect(listener.port);
    runUntil(engine, () => recorder.opened.length === 2);
    const [a, b] = recorder.opened as [Connection, Connection];
    others.set(a, b).set(b, a);
    first.send("x");
    second.send("x");
    runUntil(engine, () => recorder.has("close"));
    settle(engine);
    assertEquals(recorder.log, ["open", "open", "data x", "close"]);
  },
);

engineTest(
  "a number used again in the same batch gets nothing meant for its former owner",
  (engine) => {
    const recorder = new Recorder();
    const next = new Recorder();
    const replacements: Peer[] = [];
    const crowd = engine.listen(
      {},
      recorder.handlers({
        data() {
          for (const connection of recorder.opened) connection.close();
          const listener = engine.listen({}, next.handlers());
          for (let count = 0; count < 4; count++) {
            replacements.push(Peer.connect(listener.port));
          }
        },
      }),
    );
    const peers = Array.from({ length: 8 }, () => Peer.connect(crowd.port));
    runUntil(engine, () => recorder.opened.length === 8);
    for (const peer of peers) peer.send("x");
    runUntil(engine, () => next.opened.length === 4);
    settle(engine);
    assertEquals(recorder.count("data x"), 1);
    assertEquals(recorder.count("close"), 8);
    assertEquals(next.log, ["open", "open", "open", "open"]);
    for (const peer of [...peers, ...replacements]) peer.close();
  },
);
