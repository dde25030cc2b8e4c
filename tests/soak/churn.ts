/**
 * Connections that come and go while one system call in a hundred fails: each
 * message comes back exactly, or somebody is told once why not, and nothing is
 * left behind.
 *
 *     deno task churn --connections 100000 --seed 1
 */
import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import {
  type Connection,
  Engine,
  type Listener,
  SystemError,
  type Trigger,
} from "../../mod.ts";
import { openDescriptors } from "../support/descriptors.ts";
import { generator } from "../support/random.ts";
import { settle } from "../support/net_engine.ts";
import { CallbackWatch } from "./callback_watch.ts";
import { SeededFaults } from "./seeded_faults.ts";
import { isStreamBytes, streamBytes } from "../support/stream_bytes.ts";

/** One call in so many fails. */
const FAULT_ONE_IN = 100;
/** Connections under way at a time. */
const CROWD = 128;
const SMALL_MAX = 4096;
const LARGE_MAX = 200_000;
/** What the process may grow by after the first quarter, in MiB. */
const GROWTH_MAX_MIB = 48;
/** Without a connection ending for so long, something is lost. */
const STUCK_MS = 30_000;

/** A connection of a client, and what it has had back. */
class Exchange {
  received = 0;
  sent = 0;
  wrong = false;

  constructor(readonly id: number, readonly length: number) {}

  /** Sends as much as is taken. */
  send(connection: Connection): void {
    while (this.sent < this.length) {
      const left = this.length - this.sent;
      const bytes = streamBytes(this.id, this.sent, Math.min(left, SMALL_MAX));
      const taken = connection.write(bytes);
      this.sent += taken;
      if (taken < bytes.length) return;
    }
  }

  get exact(): boolean {
    return this.received === this.length && !this.wrong;
  }
}

/** One engine, over a faulty kernel, that talks to itself. */
class Churn {
  readonly faults: SeededFaults;
  readonly clients = new CallbackWatch("client");
  readonly servers = new CallbackWatch("server");
  exact = 0;
  /** Ended early, and were told why. */
  told = 0;
  /** Ended early, and were not told: then the other side was. */
  cutOff = 0;
  bytes = 0;
  readonly #random: (bound: number) => number;
  readonly #engine: Engine;
  readonly #listener: Listener;
  readonly #errors: unknown[] = [];
  #begun = 0;

  constructor(readonly total: number, seed: number, trigger: Trigger) {
    this.#random = generator(seed);
    this.faults = new SeededFaults(seed + 1, FAULT_ONE_IN);
    const onError = (error: unknown) => void this.#errors.push(error);
    this.#engine = new Engine({ trigger, onError }, this.faults.calls);
    this.#listener = this.#engine.listen(
      { bufferMax: 65536 },
      this.servers.handlers({
        data(connection, chunk) {
          const taken = connection.write(chunk);
          if (taken < chunk.length) {
            connection.context = chunk.slice(taken);
            connection.pause();
          }
        },
        drain(connection) {
          const rest = connection.context;
          if (!(rest instanceof Uint8Array)) return;
          const taken = connection.write(rest);
          connection.context = rest.subarray(taken);
          if (taken === rest.length) connection.resume();
        },
      }),
    );
    this.faults.active = true;
  }

  get ended(): number {
    return this.exact + this.told + this.cutOff;
  }

  /** Runs all connections; throws where something is lost or left behind. */
  run(): void {
    let seen = -1;
    let deadlineMs = 0;
    let warmMib = 0;
    while (this.ended < this.total || this.servers.live > 0) {
      while (this.#begun < this.total && this.#begun - this.ended < CROWD) {
        this.#begin();
      }
      this.#engine.turn(100);
      if (this.ended !== seen) {
        seen = this.ended;
        deadlineMs = performance.now() + STUCK_MS;
      } else if (performance.now() > deadlineMs) this.#stuck();
      if (warmMib === 0 && this.ended > this.total / 4) warmMib = residentMib();
    }
    this.#check(residentMib() - warmMib);
  }

  /** One line of figures. */
  report(): string {
    const mib = (this.bytes / 2 ** 20).toFixed(0);
    return `${this.total} connections, ${this.exact} exact, ` +
      `${this.told + this.cutOff} told of an error; ${mib} MiB; ` +
      `${this.faults.total} faults, ${this.faults.fatal} of them fatal`;
  }

  #begin(): void {
    const id = this.#begun++;
    const max = this.#random(50) === 0 ? LARGE_MAX : SMALL_MAX;
    const exchange = new Exchange(id, 1 + this.#random(max));
    const ending = this.#random(3);
    let failed = false;
    const handlers = this.clients.handlers({
      open: (connection) => exchange.send(connection),
      drain: (connection) => exchange.send(connection),
      data: (connection, chunk) => {
        const { received } = exchange;
        if (!isStreamBytes(id, received, chunk)) exchange.wrong = true;
        exchange.received += chunk.length;
        if (!exchange.exact) return;
        if (ending === 0) connection.end();
        else if (ending === 1) connection.close();
        else connection.reset();
      },
      error: () => failed = true,
      close: () => this.#over(exchange, failed),
    });
    try {
      this.#engine.connect({ port: this.#listener.port }, handlers);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.told++;
    }
  }

  #over(exchange: Exchange, failed: boolean): void {
    this.bytes += exchange.received;
    if (exchange.wrong) throw new Error(`Exchange ${exchange.id}: other bytes`);
    if (exchange.exact) this.exact++;
    else if (failed) this.told++;
    else this.cutOff++;
  }

  #check(growthMib: number): void {
    settle(this.#engine);
    const { parts } = this.#engine;
    const faults: string[] = [
      ...this.clients.violations,
      ...this.servers.violations,
    ];
    const expect = (holds: boolean, what: string) => {
      if (!holds) faults.push(what);
    };
    const lost = this.told + this.cutOff;
    const { fatal } = this.faults;
    expect(lost <= fatal, `${lost} failed, of ${fatal} fatal faults`);
    expect(
      this.cutOff <= this.servers.failed,
      `${this.cutOff} cut off, ${this.servers.failed} told of it`,
    );
    expect(this.#listener.connections === 0, "the listener counts connections");
    expect(this.#listener.fd !== -1, "the listener closed by itself");
    expect(parts.registry.size === 1, `${parts.registry.size} events left`);
    expect(parts.timers.length === 0, `${parts.timers.length} timers left`);
    expect(growthMib <= GROWTH_MAX_MIB, `grew by ${growthMib.toFixed(0)} MiB`);
    for (const error of this.#errors) {
      if (error instanceof SystemError) continue;
      faults.push(`a handler threw ${error}`);
    }
    this.#engine.close();
    if (faults.length > 0) throw new Error(faults.slice(0, 10).join("\n"));
  }

  #stuck(): never {
    const { connections } = this.#listener;
    throw new Error(
      `Stuck: ${this.report()}; ${this.#begun} begun, ` +
        `${this.ended} ended, the server has ${connections}`,
    );
  }
}

function residentMib(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

const named = parseArgs(Deno.args, { string: ["connections", "seed"] });
const connections = Number(named.connections ?? 100_000);
const seed = Number(named.seed ?? Date.now() % 1_000_000);
if (!(connections > 0) || !Number.isInteger(seed)) {
  console.error("churn [--connections N] [--seed S]: N above 0, S an integer");
  Deno.exit(2);
}
try {
  for (const trigger of ["edge", "level"] as const) {
    const before = openDescriptors();
    const churn = new Churn(Math.ceil(connections / 2), seed, trigger);
    const startMs = performance.now();
    churn.run();
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const left = openDescriptors().size - before.size;
    if (left !== 0) throw new Error(`${left} descriptors left open`);
    console.log(`churn, ${trigger}: ${churn.report()}; ${seconds} s`);
  }
} catch (error) {
  console.error(`churn --connections ${connections} --seed ${seed}: ${error}`);
  Deno.exit(1);
}
