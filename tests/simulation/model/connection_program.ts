/** Runs connections against bare peers, and judges each against its model. */
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectOptions,
  Engine,
  type Listener,
} from "../../../mod.ts";
import { SystemError } from "../../../ffi/mod.ts";
import type { World } from "../world.ts";
import { Callbacks } from "./connection_callbacks.ts";
import {
  type ConnectionScenario,
  type ConnectionStep,
  LINKS,
} from "./connection_steps.ts";
import { Link } from "./link.ts";
import { PeerNetwork } from "./peer_network.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import { expect, Violation } from "./violation.ts";

/** Rounds, of some milliseconds where there is nothing to do, to come to rest in. */
const ROUNDS_MAX = 400;
const ROUND_MS = 5;

/** One run of a scenario. */
export class ConnectionRun {
  readonly #world: World;
  readonly #trial: Trial;
  readonly #scenario: ConnectionScenario;
  readonly #network: PeerNetwork;
  readonly #engine: Engine;
  readonly #listener: Listener;
  readonly #callbacks: Callbacks;
  /** Those that steps name. */
  readonly #places: (Link | null)[] = new Array(LINKS).fill(null);
  readonly #links: Link[] = [];
  /** Whether accepting has met its limits. */
  #exhausted = false;

  constructor(scenario: ConnectionScenario, world: World, trial: Trial) {
    this.#world = world;
    this.#trial = trial;
    this.#scenario = scenario;
    const { trigger, family } = scenario;
    const now = () => world.calls.now();
    this.#callbacks = new Callbacks(scenario, trial, now, this.#places);
    this.#network = new PeerNetwork(trial.peerCalls, family);
    const onError = (error: unknown) => this.#takeError(error);
    this.#engine = new Engine(
      scenario.onError ? { trigger, onError } : { trigger },
      world.calls,
    );
    const place = family === "tcp" ? {} : { path: this.#network.newPath() };
    this.#listener = this.#engine.listen(
      { ...scenario, ...place },
      this.#callbacks.handlers((connection) => this.#accepted(connection)),
    );
  }

  /** All steps; then both sides go on to the end. */
  run(): void {
    this.#trial.begin();
    try {
      for (const step of this.#scenario.steps) {
        this.#trial.step();
        this.#perform(step);
        for (const link of this.#places) link?.assertBounded();
        this.#assertFew();
      }
      if (this.#scenario.closesEngine) this.#closeEngine();
      else this.#finish();
    } finally {
      this.#engine.close();
      this.#network.close();
    }
  }

  #perform(step: ConnectionStep): void {
    switch (step.do) {
      case "turn":
        this.#turn(() => this.#engine.turn(0));
        return;
      case "run":
        return this.#runFor(step.ms);
      case "settle":
        return this.#settle();
      case "closeListener":
        return this.#listener.close();
      case "elapse":
        return this.#world.elapse(step.ms);
      case "accept":
      case "connect":
      case "refused":
        if (this.#places[step.at]?.done ?? true) this.#connect(step);
        return;
      default: {
        const link = this.#places[step.at];
        if (link !== null && link !== undefined) this.#use(link, step);
      }
    }
  }

  #use(link: Link, step: Extract<ConnectionStep, { at: number }>): void {
    switch (step.do) {
      case "accept":
      case "connect":
      case "refused":
        return;
      case "handOver":
        return this.#handOver(link);
      case "peerWrites":
        return link.peer?.write(step.length);
      case "peerReads":
        link.peer?.read(step.length, link.stream);
        return;
      case "peerEnds":
        return link.peer?.end();
      case "peerCloses":
        return link.peer?.close();
      case "peerResets":
        return link.peer?.reset();
      case "script":
        (link.scripts[step.callback] ??= []).push(step.actions);
        return;
      default:
        this.#callbacks.noneDuring(() =>
          link.use(step, this.#world.calls.now())
        );
    }
  }

  #connect(
    step: Extract<ConnectionStep, { do: "accept" | "connect" | "refused" }>,
  ): void {
    const { bufferMax, mergeWrites, hasEnd } = this.#scenario;
    const stream = 2 * this.#links.length;
    if (step.do === "accept") {
      const address = this.#listener.localAddress;
      const peer = this.#listener.fd < 0
        ? null
        : this.#network.connect(address, stream + 1);
      if (peer === null) return;
      this.#add(step.at, new Link(stream, peer, bufferMax, hasEnd));
      return;
    }
    const refused = step.do === "refused";
    const place = refused ? this.#network.nobody : this.#network.place;
    let link: Link | null = null;
    const handlers = this.#callbacks.handlers(() => link as Link);
    // A connection that its peer has no room to accept would be taken for another.
    const reserve = this.#network.reserve();
    if (reserve < 0) return;
    const options = { bufferMax, mergeWrites, ...place };
    const connection = this.#tryConnect(options, handlers);
    this.#network.giveBack(reserve);
    if (connection === null) return;
    const peer = refused ? null : this.#network.accept(stream + 1);
    link = new Link(stream, peer, bufferMax, hasEnd);
    link.connection = connection;
    this.#add(step.at, link);
  }

  /** Null where there is no descriptor. */
  #tryConnect(
    options: ConnectOptions,
    handlers: ConnectionHandlers,
  ): Connection | null {
    try {
      return this.#engine.connect(options, handlers);
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  #handOver(link: Link): void {
    const { connection } = link;
    if (connection === null || !link.open || link.ended) return;
    let fd: number;
    try {
      fd = connection.detach();
    } catch (error) {
      expect(connection.bufferedBytes > 0, () => `cannot detach: ${error}`);
      return;
    }
    const { bufferMax, mergeWrites } = this.#scenario;
    const handlers = this.#callbacks.handlers(() => link);
    const options = { bufferMax, mergeWrites };
    link.handedOver(this.#engine.adopt(fd, handlers, options));
  }

  #add(at: number, link: Link): void {
    this.#places[at] = link;
    this.#links.push(link);
  }

  /** Whose connection the listener has accepted. */
  #accepted(connection: Connection): Link {
    const known = connection.context;
    if (known instanceof Link) return known;
    const { bufferMax, hasEnd } = this.#scenario;
    const peer = this.#network.owner(connection.remoteAddress);
    const link = peer === null
      ? new Link(0, null, bufferMax, hasEnd)
      : this.#links.find((link) => link.peer === peer) as Link;
    if (peer === null) this.#links.push(link);
    link.connection = connection;
    connection.context = link;
    return link;
  }

  #takeError(error: unknown): void {
    if (error instanceof ScriptedError) return;
    if (!(error instanceof SystemError)) throw error;
    if (error.syscall === "accept4") this.#exhausted = true;
    else if (!this.#trial.faulty) throw error;
  }

  #assertFew(): void {
    const { connections } = this.#listener;
    const { connectionsMax } = this.#scenario;
    expect(
      connections <= connectionsMax,
      () => `${connections} connections of ${connectionsMax}`,
    );
  }

  /** What comes out of it is judged; the engine has to go on. Returns what ran. */
  #turn(turn: () => number): number {
    try {
      return turn();
    } catch (error) {
      this.#takeError(error);
      return 1;
    }
  }

  #runFor(ms: number): void {
    const timer = this.#engine.timer(ms, () => this.#engine.stop());
    this.#turn(() => {
      this.#engine.run();
      return 1;
    });
    timer.cancel();
  }

  /** Turns until `condition` holds; peers read meanwhile. */
  #until(condition: () => string | null): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const link of this.#links) link.peer?.drain(link.stream);
      const ran = this.#turn(() => this.#engine.turn(0));
      if (ran > 0) continue;
      if (condition() === null) return;
      this.#turn(() => this.#engine.turn(ROUND_MS));
    }
    throw new Violation(`it never comes to rest: ${condition()}`);
  }

  /** Each side gets what the other has sent. */
  #settle(): void {
    this.#until(() => {
      for (const link of this.#links) {
        const missing = link.missing();
        if (missing !== null) return `link ${link.stream}: ${missing}`;
      }
      return null;
    });
  }

  /** Each connection is told. */
  #closeEngine(): void {
    this.#turn(() => {
      this.#engine.close();
      return 1;
    });
    for (const { connection, done, stream, log } of this.#links) {
      expect(
        connection === null || done,
        () => `link ${stream}: ${log} when the engine was closed`,
      );
    }
  }

  /** Everybody reads all and ends; then those have their turn who had to wait. */
  #finish(): void {
    for (const link of this.#links) link.calmDown();
    this.#settle();
    this.#until(() => {
      for (const link of this.#links) link.finish();
      const open = this.#links.find((link) => !link.over);
      return open === undefined
        ? null
        : `link ${open.stream} is not closed: ${open.log}`;
    });
    // Idle ones are closed whatever is on its way.
    const { onError, onExhausted } = this.#scenario;
    const idleClosed = onExhausted === "closeIdle" &&
      (this.#exhausted || !onError);
    if (!idleClosed) { for (const link of this.#links) link.assertWhole(); }
    const { connections, shed, aborted } = this.#listener;
    expect(connections === 0, () => `${connections} connections are counted`);
    const away =
      this.#links.filter(({ log, peer }) =>
        log === "" && peer !== null && !peer.broke
      ).length;
    expect(
      away <= shed + aborted || this.#trial.faulty || this.#listener.fd < 0,
      () => `${away} were turned away, ${shed + aborted} are counted`,
    );
  }
}
