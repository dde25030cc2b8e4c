/** Datagrams that mean no good: too long, none at all, and far too many. */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import type { Engine } from "../mod.ts";
import { send } from "../ffi/mod.ts";
import { DatagramEnd } from "./support/datagram_peer.ts";
import { bytesOf, engineTest, runUntil, settle } from "./support/net_engine.ts";

const MESSAGE_MAX = 64;
/** Datagrams of a flood: the kernel drops what its buffer does not hold. */
const FLOOD = 20_000;

/** A socket that answers what fits, and notes what does not. */
function server(engine: Engine): { port: number; seen: Seen } {
  const seen = { whole: 0, cut: 0, longest: 0, told: 0, errors: 0 };
  const datagram = engine.datagram({ port: 0, messageMax: MESSAGE_MAX }, {
    data(datagram, chunk, from, length) {
      seen.longest = Math.max(seen.longest, chunk.length);
      seen.told = Math.max(seen.told, length);
      if (length > chunk.length) seen.cut++;
      else {
        seen.whole++;
        datagram.send(chunk, from);
      }
    },
    error: () => void seen.errors++,
  });
  const { localAddress } = datagram;
  const port = localAddress !== null && "port" in localAddress
    ? localAddress.port
    : 0;
  return { port, seen };
}

interface Seen {
  whole: number;
  cut: number;
  longest: number;
  told: number;
  errors: number;
}

/** Has a datagram of an honest client answered. */
function serve(engine: Engine, honest: DatagramEnd): void {
  honest.send("hello");
  const answers: string[] = [];
  runUntil(engine, () => answers.push(...honest.receiveAll()) > 0);
  assertEquals(answers, ["hello"]);
}

engineTest(
  "datagrams of every length up to the longest there is are cut, and cost no more",
  (engine) => {
    const { port, seen } = server(engine);
    using rude = DatagramEnd.to(port);
    using honest = DatagramEnd.to(port);
    const longest = new Uint8Array(65_507);
    for (const length of [65, 1_472, 9_000, 65_000, 65_507]) {
      assertEquals(send(rude.fd, longest.subarray(0, length), 0), length);
      serve(engine, honest);
    }
    assertEquals(seen, {
      whole: 5,
      cut: 5,
      longest: MESSAGE_MAX,
      told: 65_507,
      errors: 0,
    });
  },
);

engineTest(
  "a flood of empty and of long datagrams leaves the engine its timers, and others their turn",
  (engine) => {
    const { port, seen } = server(engine);
    using rude = DatagramEnd.to(port);
    using honest = DatagramEnd.to(port);
    let ticks = 0;
    engine.timer(1, () => ticks++, { repeat: true });
    const long = bytesOf("x".repeat(1_000));
    for (let count = 0; count < FLOOD; count++) {
      send(rude.fd, count % 2 === 0 ? long : long.subarray(0, 0), 0);
      if (count % 500 === 0) engine.turn(0);
    }
    settle(engine);
    assertLessOrEqual(seen.longest, MESSAGE_MAX);
    serve(engine, honest);
    runUntil(engine, () => ticks > 1);
  },
);

engineTest(
  "a sender that is gone before it is answered concerns nobody else",
  (engine) => {
    const { port } = server(engine);
    using honest = DatagramEnd.to(port);
    for (let round = 0; round < 100; round++) {
      const gone = DatagramEnd.to(port);
      gone.send("who?");
      gone.close();
    }
    serve(engine, honest);
  },
);
