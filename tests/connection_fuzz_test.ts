/**
 * Connections used at random, over a kernel that interrupts and takes less than
 * it could: callbacks keep their order, and bytes theirs.
 */
import process from "node:process";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { EINTR, systemCalls } from "../ffi/mod.ts";
import type { SystemCalls } from "../ffi/system_calls.ts";
import { type Connection, type ConnectionHandlers, Engine } from "../mod.ts";
import { replacing } from "./support/faulty_calls.ts";
import { runUntil, triggerTest } from "./support/net_engine.ts";
import { generator } from "./support/random.ts";
import {
  isStreamBytes,
  PIECE_MAX,
  streamBytes,
} from "./support/stream_bytes.ts";

const SEEDS = [1, 2, 3, 4];
const PAIRS = 16;
const ACTIONS = 120;

type Random = (below: number) => number;

/** Calls that are interrupted now and then, and sends that are cut short. */
function capricious(random: Random): SystemCalls {
  const interrupted = () => random(20) === 0;
  return replacing({
    epoll_wait: (...args) =>
      interrupted() ? -EINTR : systemCalls.epoll_wait(...args),
    accept4: (...args) => interrupted() ? -EINTR : systemCalls.accept4(...args),
    recv: (...args) => interrupted() ? -EINTR : systemCalls.recv(...args),
    send(fd, chunk, flags) {
      if (interrupted()) return -EINTR;
      const length = random(4) === 0 ? 1 + random(chunk.length) : chunk.length;
      return systemCalls.send(fd, chunk.subarray(0, length), flags);
    },
  });
}

/** One side of a pair: what it does, and what it has seen. */
class Side {
  /** `o`pen, `d`ata, d`r`ain, `e`nd, error (`x`) and `c`lose, in order. */
  log = "";
  accepted = 0;
  received = 0;
  wrong = 0;
  aborted = false;
  connection: Connection | null = null;
  peer: Side | null = null;
  #left = ACTIONS;
  #ended = false;

  constructor(
    readonly engine: Engine,
    readonly random: Random,
    readonly id: number,
    readonly endless: boolean,
  ) {}

  handlers(): ConnectionHandlers {
    const handlers: ConnectionHandlers = {
      open: (connection) => {
        this.connection = connection;
        this.#saw("o");
      },
      data: (_, chunk) => this.#data(chunk),
      drain: () => this.#saw("r"),
      error: () => this.#saw("x"),
      close: () => this.log += "c",
    };
    if (!this.endless) handlers.end = () => this.#saw("e");
    return handlers;
  }

  /** Goes on until it has done all that it is to do. */
  tick(): void {
    this.act();
    if (this.#ended || this.aborted || this.log.endsWith("c")) return;
    this.engine.timer(this.random(3), () => this.tick());
  }

  act(): void {
    const { connection, random } = this;
    if (connection === null || this.#ended || this.aborted) return;
    if (--this.#left <= 0) {
      connection.resume();
      connection.end();
      this.#ended = true;
      return;
    }
    const dice = random(200);
    if (dice < 120) this.#write(connection, dice < 100 ? 300 : PIECE_MAX);
    else if (dice < 130) connection.pause();
    else if (dice < 150) connection.resume();
    else if (dice === 150) {
      this.aborted = true;
      if (random(2) === 0) connection.close();
      else connection.reset();
    }
  }

  #write(connection: Connection, below: number): void {
    const length = this.random(below);
    this.accepted += connection.write(
      streamBytes(this.id, this.accepted, length),
    );
  }

  #data(chunk: Uint8Array): void {
    const { id } = this.peer as Side;
    if (!isStreamBytes(id, this.received, chunk)) this.wrong++;
    this.received += chunk.length;
    this.#saw("d");
  }

  #saw(what: string): void {
    this.log += what;
    this.act();
  }

  /** Whether it has come to its end by itself, everything sent and read. */
  get graceful(): boolean {
    return !this.aborted && !this.log.includes("x");
  }
}

/** Pairs of connections within one engine, over TCP and unix sockets. */
function connectPairs(engine: Engine, random: Random): Side[] {
  const sides: Side[] = [];
  for (let index = 0; index < PAIRS; index++) {
    const client = new Side(engine, random, 2 * index, random(3) === 0);
    const server = new Side(engine, random, 2 * index + 1, random(3) === 0);
    client.peer = server;
    server.peer = client;
    sides.push(client, server);
    const path = `\0edgewise-${process.pid}-fuzz`;
    const place = index % 2 === 0 ? {} : { path };
    const bufferMax = random(3) * 50_000;
    const options = { bufferMax, mergeWrites: random(2) === 0, ...place };
    const listener = engine.listen(options, server.handlers());
    const port = listener.port === 0 ? {} : { port: listener.port };
    engine.connect({ ...options, ...port }, client.handlers());
    runUntil(engine, () => server.log !== "" && client.log !== "");
    listener.close();
  }
  return sides;
}

for (const seed of SEEDS) {
  triggerTest(
    `random use keeps callbacks and bytes in order, seed ${seed}`,
    (trigger) => {
      const random = generator(seed);
      using engine = new Engine({ trigger }, capricious(random));
      const sides = connectPairs(engine, random);
      for (const side of sides) side.tick();
      runUntil(engine, () => sides.every(({ log }) => log.endsWith("c")));
      for (const side of sides) {
        assertMatch(side.log, /^o[dr]*(er*)?x?c$/);
        assertEquals(side.wrong, 0);
        const peer = side.peer as Side;
        assert(side.received <= peer.accepted);
        if (side.graceful && peer.graceful) {
          assertEquals(side.received, peer.accepted);
        }
      }
      assert(sides.some(({ graceful }) => graceful));
      assert(sides.some(({ aborted }) => aborted));
    },
  );
}
