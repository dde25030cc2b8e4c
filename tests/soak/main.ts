/**
 * A soak: two servers, one of each trigger, and a crowd of clients, for as long
 * as it is told. Prints how it goes; if anything is not as promised, what, and
 * the seed, and ends with status 1.
 *
 *     deno task soak --seconds 30 --seed 1
 */
import { parseArgs } from "@std/cli/parse-args";
import { generator } from "../support/random.ts";
import { Part } from "./part.ts";
import type { ClientsReport, ServerReport } from "./reports.ts";
import { descriptorLimit } from "./resources.ts";

/** Clients at a time, where the limit of descriptors allows it. */
const CROWD = 1200;
/** Descriptors that a process has besides those of its connections. */
const SPARE = 100;
const TICK_MS = 50;
/** One tick in so many stops a server for a moment. */
const STOPS_ONE_IN = 20;
const STOP_MS = 20;
/** A process that tells nothing for so long is stuck. */
const SILENT_MAX_MS = 30_000;
/** The part of the time after which memory is measured, and what it may grow by. */
const WARM = 0.4;
const GROWTH_MAX_MIB = 48;

/** All processes of a soak, and what they told. */
class Soak {
  readonly #random: (bound: number) => number;
  readonly #servers: Part<ServerReport>[];
  #clients: Part<ClientsReport> | null = null;
  readonly #seed: number;
  readonly #sent = [0, 0];
  readonly #warmMib = [Infinity, Infinity];
  #descriptorsMax = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = generator(seed);
    this.#servers = ["edge", "level"].map((trigger, index) =>
      new Part(trigger, "server.ts", [trigger, `${seed + index}`])
    );
  }

  /** Runs it; throws at the first thing that is not as promised. */
  async run(seconds: number, progress: (line: string) => void): Promise<void> {
    const servers = this.#servers;
    await Promise.all(servers.map((server) => server.reached("ready")));
    const targets = servers.flatMap((server) => server.targets);
    const crowd = Math.min(CROWD, descriptorLimit() - SPARE);
    const args = [JSON.stringify(targets), `${this.#seed + 2}`, `${crowd}`];
    const clients = new Part<ClientsReport>("clients", "clients.ts", args);
    this.#clients = clients;
    const beginMs = performance.now();
    for (;;) {
      const passed = (performance.now() - beginMs) / 1000 / seconds;
      if (passed >= 1) break;
      await this.#tick(passed);
      progress(this.figures(passed * seconds));
    }
    await clients.order("calm");
    await this.#watched("Clients come to an end", clients.reached("calm"));
    for (const server of servers) {
      await server.order("calm");
      await this.#watched(`${server.name} is calm`, server.reached("calm"));
    }
    await clients.order("end");
    await this.#watched("All clients leave", clients.finished());
    for (const server of servers) {
      await server.order("end");
      await this.#watched(`${server.name} ends`, server.finished());
    }
    this.#checkMemory();
    servers.forEach(({ name, signals }, index) => {
      const sent = this.#sent[index];
      if (signals === sent) return;
      throw new Error(`${name}: ${sent} signals sent, ${signals} arrived`);
    });
  }

  /** One line of figures. */
  figures(seconds: number): string {
    const reports = this.#servers.map(({ report }) => report);
    const sum = (of: (report: ServerReport) => number) =>
      reports.reduce((sum, report) => sum + (report ? of(report) : 0), 0);
    const clients = this.#clients?.report;
    const mib = Math.round((clients?.bytes ?? 0) / 2 ** 20);
    const memory = reports.map((report) => report?.residentMib.toFixed(0));
    const signals = this.#servers.reduce((sum, part) => sum + part.signals, 0);
    return [
      `${seconds.toFixed(0)} s`,
      `${clients?.ended ?? 0} connections (${clients?.exact ?? 0} exact, ` +
      `${clients?.resets ?? 0} reset, ${clients?.cutOff ?? 0} turned away)`,
      `${mib} MiB`,
      `${sum((report) => report.posts)} posts of ` +
      `${sum((report) => report.postersEnded)} ended workers`,
      `${sum((report) => report.timers)} timers`,
      `${signals} signals`,
      `${sum((report) => report.exhaustions)} times without descriptors`,
      `${this.#descriptorsMax} descriptors at the most`,
      `${memory.join(" and ")} MiB resident`,
    ].join(", ");
  }

  /** Ends all processes. */
  end(): void {
    this.#clients?.signal("SIGKILL");
    for (const server of this.#servers) server.signal("SIGKILL");
  }

  /** Signals, stops, and a look at what is told. */
  async #tick(passed: number): Promise<void> {
    const index = this.#random(this.#servers.length);
    const server = this.#servers[index];
    // One that is on its way would take a second one with it.
    if (this.#sent[index] === server.signals) {
      this.#sent[index]++;
      server.signal("SIGUSR1");
    }
    if (this.#random(STOPS_ONE_IN) === 0) {
      server.signal("SIGSTOP");
      await pause(STOP_MS);
      server.signal("SIGCONT");
    }
    await pause(TICK_MS);
    this.#check();
    for (const [place, { report }] of this.#servers.entries()) {
      const descriptors = report?.descriptors ?? 0;
      this.#descriptorsMax = Math.max(this.#descriptorsMax, descriptors);
      if (
        report !== null && passed > WARM && this.#warmMib[place] === Infinity
      ) {
        this.#warmMib[place] = report.residentMib;
      }
    }
  }

  #check(): void {
    const parts = [...this.#servers, ...this.#clients ? [this.#clients] : []];
    for (const { name, report, toldMs } of parts) {
      const [violation] = report?.violations ?? [];
      if (violation !== undefined) throw new Error(`${name}: ${violation}`);
      if (performance.now() - toldMs < SILENT_MAX_MS) continue;
      throw new Error(`${name} tells nothing any more`);
    }
  }

  #checkMemory(): void {
    this.#servers.forEach(({ name, report }, index) => {
      const growthMib = (report?.residentMib ?? 0) - this.#warmMib[index];
      if (growthMib <= GROWTH_MAX_MIB) return;
      throw new Error(`${name} grew by ${growthMib.toFixed(0)} MiB`);
    });
  }

  /** Waits for something that ends soon. */
  async #watched(what: string, done: Promise<unknown>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`${what}: not after ${SILENT_MAX_MS} ms`);
      timer = setTimeout(reject, SILENT_MAX_MS, error);
    });
    try {
      await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
    this.#check();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const terminal = Deno.stdout.isTerminal();

/** Shows how it goes: one line again and again, or a line every few seconds. */
function progressLine(): (line: string) => void {
  const everyMs = terminal ? 500 : 5_000;
  let nextMs = performance.now() + everyMs;
  return (line) => {
    if (performance.now() < nextMs) return;
    nextMs += everyMs;
    const text = terminal ? `\r\x1b[2K${line}` : `${line}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  };
}

const named = parseArgs(Deno.args, { string: ["seconds", "seed"] });
const seconds = Number(named.seconds ?? 30);
const seed = Number(named.seed ?? Date.now() % 1_000_000);
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error("soak [--seconds N] [--seed S]: N above 0, S an integer");
  Deno.exit(2);
}
console.log(`soak --seconds ${seconds} --seed ${seed}`);
const soak = new Soak(seed);
try {
  await soak.run(seconds, progressLine());
  if (terminal) console.log();
  console.log(`soak: ${soak.figures(seconds)}`);
} catch (error) {
  console.error(`soak --seconds ${seconds} --seed ${seed}: ${error}`);
  console.error(soak.figures(seconds));
  soak.end();
  Deno.exit(1);
}
