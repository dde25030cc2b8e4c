/** The engine on a kernel that fails now and then, in every way that it may. */
import { assert, assertEquals } from "@std/assert";
import { SystemError } from "../../ffi/mod.ts";
import {
  type Connection,
  type ConnectionHandlers,
  Engine,
  type Trigger,
} from "../../mod.ts";
import { test } from "../support/descriptors.ts";
import { pattern } from "../support/net_engine.ts";
import type { Family } from "./ends.ts";
import { FAULT_KINDS, type FaultKind, type FaultRates } from "./faults.ts";
import { simulatedWorld } from "./world.ts";

const RATE = 0.01;
const CLIENTS = 20;
const BYTES = 40_000;
/** Storms of each kind. */
const SEEDS = 20;
/** What a connection may end with: the faults that are one's own end. */
const MAY_END_WITH = ["ECONNRESET", "EPIPE", "ENOMEM", "ENOSPC"];
const TURNS_MAX = 200_000;

/** Faults that cost nobody a byte. */
const HARMLESS: FaultKind[] = [
  "EINTR",
  "EAGAIN",
  "shortRead",
  "shortWrite",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
];

function rates(kinds: readonly FaultKind[]): FaultRates {
  return Object.fromEntries(kinds.map((kind) => [kind, RATE]));
}

/** Sends all back. */
const echo: ConnectionHandlers = {
  data(connection, chunk) {
    offer(connection, chunk);
  },
  end: (connection) => connection.end(),
};

/** Where a server is. */
type Where = { port: number } | { path: string };

/** Clients of an echo server: each sends a pattern and checks what comes back. */
class Clients {
  complete = 0;
  readonly #engine: Engine;
  readonly #where: Where;
  readonly #failures: string[] = [];

  constructor(engine: Engine, where: Where) {
    this.#engine = engine;
    this.#where = where;
  }

  /** The codes that connections failed with. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Connects; one that fails is followed by another. */
  start(seed: number): void {
    const sent = pattern(BYTES, seed);
    let received = 0;
    let failed = false;
    const handlers: ConnectionHandlers = {
      open: (connection) => offer(connection, sent),
      data(connection, chunk) {
        assertEquals(chunk, sent.subarray(received, received + chunk.length));
        received += chunk.length;
        if (received === BYTES) connection.end();
      },
      error: (_connection, error) => {
        failed = true;
        this.#failures.push(error.code);
      },
      close: () => {
        if (received === BYTES) this.complete++;
        else {
          // A server that lost its end without an error here closed in good order.
          assert(failed || this.#mayLose, `lost after ${received} bytes`);
          this.start(seed);
        }
      },
    };
    try {
      this.#engine.connect(this.#where, handlers);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // No descriptor, no memory: later.
      this.#engine.timer(1, () => this.start(seed));
    }
  }

  get #mayLose(): boolean {
    return this.#failures.length > 0;
  }
}

/** Writes all, or nothing where the peer is gone. */
function offer(connection: Connection, bytes: Uint8Array): void {
  const accepted = connection.write(bytes);
  if (accepted !== 0) assertEquals(accepted, bytes.length);
}

/** Runs clients against an echo server on a kernel with faults. */
function storm(
  trigger: Trigger,
  family: Family,
  kinds: readonly FaultKind[],
  seed: number,
): { clients: Clients; struck: Record<FaultKind, number> } {
  using world = simulatedWorld({ seed, descriptorsMax: 256 });
  const reported: unknown[] = [];
  const onError = (error: unknown) => reported.push(error);
  using engine = new Engine({ trigger, onError }, world.calls);
  const path = "\0echo";
  const listener = engine.listen(family === "unix" ? { path } : {}, echo);
  world.kernel.faults.rates = rates(kinds);
  const where = family === "unix" ? { path } : { port: listener.port };
  const clients = new Clients(engine, where);
  for (let index = 1; index <= CLIENTS; index++) clients.start(seed + index);
  let turns = 0;
  while (clients.complete < CLIENTS || listener.connections > 0) {
    engine.turn();
    if (++turns > TURNS_MAX) throw new Error("It never comes to an end");
  }
  // What the listener met: it has nobody else to tell.
  assertEquals(reported.filter((error) => !(error instanceof SystemError)), []);
  engine.close();
  assertEquals(world.descriptors(), 0);
  return { clients, struck: world.kernel.faults.struck };
}

for (const trigger of ["edge", "level"] satisfies Trigger[]) {
  for (const kind of ["ENOMEM", "ENOSPC"] as const) {
    test(`${trigger}: a listener goes on accepting after epoll_ctl has failed with ${kind}`, () => {
      using world = simulatedWorld({ seed: 1 });
      const { faults } = world.kernel;
      const reported: unknown[] = [];
      const onError = (error: unknown) => reported.push(error);
      using engine = new Engine({ trigger, onError }, world.calls);
      let opened = 0;
      const listener = engine.listen({}, { open: () => void opened++ });
      faults.rates = { [kind]: 1 };
      for (let turn = 0; turn < 3; turn++) engine.turn();
      faults.rates = {};
      engine.connect({ port: listener.port }, {});
      while (opened === 0) engine.turn();
      const codes = reported.map((error) => (error as SystemError).code);
      assertEquals(codes, [kind]);
    });
  }

  for (const family of ["tcp", "unix"] as const) {
    test(`${trigger}: an echo server loses no byte to 1 % of harmless faults of each kind (${family})`, () => {
      const total = new Map<FaultKind, number>();
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { clients, struck } = storm(trigger, family, HARMLESS, seed);
        assertEquals(clients.failures, []);
        for (const kind of HARMLESS) {
          total.set(kind, (total.get(kind) ?? 0) + struck[kind]);
        }
      }
      // Every kind has been there.
      assertEquals([...total].filter(([, count]) => count === 0), []);
    });

    test(`${trigger}: an echo server outlives 1 % of every fault: clients that fail are told why, the rest get every byte (${family})`, () => {
      const total = new Map<FaultKind, number>();
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { clients, struck } = storm(
          trigger,
          family,
          FAULT_KINDS,
          100 * seed,
        );
        for (const code of clients.failures) {
          assert(MAY_END_WITH.includes(code), code);
        }
        for (const kind of FAULT_KINDS) {
          total.set(kind, (total.get(kind) ?? 0) + struck[kind]);
        }
      }
      assertEquals([...total].filter(([, count]) => count === 0), []);
    });
  }
}
