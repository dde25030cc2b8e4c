/**
 * The server of a soak, a process of its own: `server.ts TRIGGER SEED`. What its
 * engine does, and how it is run, changes by the seed's choice.
 */
import { argv, exit, ppid } from "node:process";
import { EMFILE } from "../../ffi/mod.ts";
import {
  Engine,
  type FdEvent,
  SystemError,
  type Trigger,
  withSignalsBlocked,
} from "../../mod.ts";
import { assertNoLeaks, openDescriptors } from "../support/descriptors.ts";
import { generator } from "../support/random.ts";
import { settle } from "../support/net_engine.ts";
import { until } from "../support/within.ts";
import { EchoPart } from "./echo_part.ts";
import { PostPart } from "./post_part.ts";
import { type Order, type ServerReport, tell } from "./reports.ts";
import {
  cpuMs,
  descriptorLimit,
  residentMib,
  setDescriptorLimit,
} from "./resources.ts";
import { TimerPart } from "./timer_part.ts";

/** Between two reports. */
const REPORT_MS = 500;
/** Between two changes of posters. */
const POSTERS_MS = 150;
/** Between two times without descriptors, and how long those are. */
const EXHAUST_EVERY_MS = 2_000;
const EXHAUST_MS = 300;
/** How long one way of running is kept. */
const EPISODE_MS = 400;
/** What is measured without anything to do. */
const QUIET_MS = 1_000;
/** The turns of that: its end, and what may interrupt it. */
const QUIET_TURNS_MAX = 5;
const QUIET_CPU_MAX_MS = 200;

/** One server. */
class Server {
  readonly #random: (bound: number) => number;
  readonly #engine: Engine;
  readonly #echo: EchoPart;
  readonly #timers: TimerPart;
  readonly #posts: PostPart;
  readonly #orders: FdEvent;
  readonly #parts: number;
  readonly #violations: string[] = [];
  readonly #limit = descriptorLimit();
  #signals = 0;
  #exhaustions = 0;
  #exhausted = false;
  #refused = 0;
  #residentMib = residentMib();
  #order: Order | null = null;

  constructor(trigger: Trigger, seed: number) {
    this.#random = generator(seed);
    const engine = new Engine({ trigger, onError: (e) => this.#failed(e) });
    this.#engine = engine;
    this.#echo = new EchoPart(engine);
    this.#timers = new TimerPart(engine, this.#random);
    this.#posts = new PostPart(engine, this.#random);
    engine.signal("SIGUSR1", ({ pid }) => {
      this.#signals++;
      if (pid !== ppid) this.#violations.push(`a signal of process ${pid}`);
      tell({ state: "signalled", signals: this.#signals });
    });
    const input = new Uint8Array(64);
    this.#orders = engine.register(0, {
      read: (event) => {
        const text = input.subarray(0, Math.max(0, event.read(input)));
        const words = new TextDecoder().decode(text).trim().split("\n");
        this.#order = words.at(-1) as Order;
        // Nobody is there any more.
        if (text.length === 0) exit(1);
        engine.stop();
      },
    });
    this.#orders.enableRead();
    this.#parts = engine.parts.registry.size;
  }

  /** Runs from the first connection to the last. */
  async serve(): Promise<void> {
    tell({ state: "ready", targets: this.#echo.targets });
    const every = (ms: number, act: () => void) =>
      this.#engine.timer(ms, act, { repeat: true });
    const chores = [
      every(POSTERS_MS, () => !this.#exhausted && this.#posts.change()),
      every(EXHAUST_EVERY_MS, () => this.#exhaust()),
      every(REPORT_MS, () => this.#tell("running")),
    ];
    while (this.#order === null) await this.#episode();
    for (const chore of chores) chore.cancel();
    await this.#calm();
    while (this.#order !== "end") await this.#episode();
    await this.#end();
  }

  /** Runs the engine for a while, in one of its ways. */
  async #episode(): Promise<void> {
    const engine = this.#engine;
    let over = false;
    using _end = engine.timer(EPISODE_MS, () => {
      over = true;
      engine.stop();
    });
    const way = this.#random(3);
    if (way === 0) engine.run();
    else if (way === 1 && !this.#exhausted) await engine.start();
    else while (!over && this.#order === null) engine.turn(this.#random(10));
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** Takes this process's descriptors away for a while. */
  #exhaust(): void {
    if (this.#exhausted || this.#posts.starting) return;
    this.#exhausted = true;
    this.#exhaustions++;
    setDescriptorLimit(openDescriptors().size + this.#random(20));
    this.#engine.timer(EXHAUST_MS, () => this.#relieve());
  }

  #relieve(): void {
    setDescriptorLimit(this.#limit);
    this.#exhausted = false;
  }

  #failed(error: unknown): void {
    if (error instanceof SystemError && error.errno === EMFILE) this.#refused++;
    else this.#violations.push(String(error));
  }

  /** With nothing to do it does nothing, though connections are open. */
  async #calm(): Promise<void> {
    this.#relieve();
    this.#timers.stop();
    await this.#posts.stop();
    settle(this.#engine);
    this.#tell("running");
    const { turns, events } = this.#engine.metrics;
    const beforeMs = cpuMs();
    using _end = this.#engine.timer(QUIET_MS, () => this.#engine.stop());
    this.#engine.run();
    const usedMs = cpuMs() - beforeMs;
    const { metrics } = this.#engine;
    this.#expect(
      metrics.turns - turns <= QUIET_TURNS_MAX && metrics.events === events,
      `idle, it took ${metrics.turns - turns} turns and ${
        metrics.events - events
      } events`,
    );
    this.#expect(
      usedMs <= QUIET_CPU_MAX_MS,
      `idle, it ran for ${usedMs.toFixed(0)} of ${QUIET_MS} ms`,
    );
    this.#order = null;
    this.#tell("calm");
  }

  /** Everybody has left. */
  async #end(): Promise<void> {
    const { parts } = this.#engine;
    await until(() => {
      this.#engine.turn(0);
      return this.#echo.connections === 0;
    });
    settle(this.#engine);
    const { live } = this.#echo.watch;
    this.#expect(live === 0, `${live} connections were never told of a close`);
    const left = parts.registry.size - this.#parts;
    this.#expect(left === 0, `${left} events are left`);
    this.#expect(
      parts.timers.length === 0,
      `${parts.timers.length} timers left`,
    );
    try {
      this.#posts.check();
    } catch (error) {
      this.#violations.push(String(error));
    }
    this.#echo.close();
    this.#posts.close();
    this.#orders.delete();
    this.#engine.close();
    this.#tell("ended");
  }

  #expect(holds: boolean, otherwise: string): void {
    if (!holds) this.#violations.push(otherwise);
  }

  #tell(state: "running" | "calm" | "ended"): void {
    // Without descriptors there is nothing to look with.
    if (!this.#exhausted) this.#residentMib = residentMib();
    const report: ServerReport = {
      connections: this.#echo.connections,
      opened: this.#echo.watch.opened,
      timers: this.#timers.fired,
      posts: this.#posts.received,
      postersEnded: this.#posts.ended,
      signals: this.#signals,
      exhaustions: this.#exhaustions,
      turnedAway: this.#echo.shed + this.#refused,
      descriptors: this.#exhausted ? 0 : openDescriptors().size,
      residentMib: this.#residentMib,
      violations: [
        ...this.#violations,
        ...this.#echo.watch.violations,
        ...this.#timers.violations,
        ...this.#posts.violations,
      ].slice(0, 10),
    };
    tell({ state, report });
  }
}

withSignalsBlocked(["SIGUSR1"]);
// Deno 2.9.6 keeps a pair of sockets for signals, which Workers open, too.
const listener = () => {};
Deno.addSignalListener("SIGUSR2", listener);
Deno.removeSignalListener("SIGUSR2", listener);
const [trigger, seed] = argv.slice(2);
await assertNoLeaks(() => new Server(trigger as Trigger, Number(seed)).serve());
