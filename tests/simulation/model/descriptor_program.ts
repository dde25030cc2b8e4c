/** Runs verbs, peers and turns on descriptors, and judges each against its model. */
import { Engine, type FdEvent } from "../../../mod.ts";
import { F_DUPFD_CLOEXEC, SystemError } from "../../../ffi/mod.ts";
import type { Direction, Verb } from "../../support/matrix_oracle.ts";
import { EAGAIN } from "../../../ffi/mod.ts";
import type { World } from "../world.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import {
  type DescriptorScenario,
  type DescriptorStep,
  type HandlerStep,
  PLACES,
} from "./descriptor_steps.ts";
import {
  drain,
  type Ends,
  openEnds,
  uninterrupted,
} from "./descriptor_ends.ts";
import { type EpollObserver, spied } from "./epoll_spy.ts";
import { Subject } from "./subject.ts";
import { expect } from "./violation.ts";

/** Turns after which handlers that consume all must have come to rest. */
const SETTLED_WITHIN = 40;
const FILL_MAX = 200;

const scratch = new Uint8Array(65536);
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const full = new Uint8Array(BigUint64Array.of(0xfffffffffffffffen).buffer);

/** One run of a scenario. */
export class DescriptorRun implements EpollObserver {
  readonly #world: World;
  readonly #trial: Trial;
  readonly #scenario: DescriptorScenario;
  readonly #engine: Engine;
  readonly #places: (Subject | null)[] = new Array(PLACES).fill(null);
  readonly #byKey = new Map<string, Subject>();
  /** Descriptors that live on without the engine's knowing. */
  readonly #ghosts: Ends[] = [];
  #settling = false;
  #closing = false;
  /** Handlers called, and kernel events, since the model last looked. */
  #ran = 0;
  #events = 0;
  #polled = false;

  constructor(scenario: DescriptorScenario, world: World, trial: Trial) {
    this.#world = world;
    this.#trial = trial;
    this.#scenario = scenario;
    const { trigger, eventsMax, changesMax, dispatchMax, onError } = scenario;
    const options = { trigger, eventsMax, changesMax, dispatchMax };
    const calls = spied(world.calls, this);
    const take = (error: unknown, source: object) =>
      this.#takeError(error, source);
    this.#engine = onError
      ? new Engine({ ...options, onError: take }, calls)
      : new Engine(options, calls);
  }

  /** All steps, then rest, then nothing left open. */
  run(): void {
    this.#trial.begin();
    try {
      for (const step of this.#scenario.steps) {
        this.#trial.step();
        this.#perform(step);
        for (const subject of this.#places) subject?.compare();
      }
      this.#perform({ do: "settle" });
    } finally {
      this.#closing = true;
      this.#engine.close();
      for (const subject of this.#places) {
        if (subject === null) continue;
        this.#world.calls.close(subject.ends.fd);
        this.#closePeer(subject.ends);
      }
      this.#exorcise();
    }
  }

  changed(
    operation: number,
    fd: number,
    key: string,
    mask: number,
    result: number,
  ): void {
    if (this.#closing) return;
    const subject = this.#places.find((subject) => subject?.event.fd === fd);
    expect(
      subject !== null && subject !== undefined,
      () => `epoll_ctl of ${fd}, which is nobody's`,
    );
    if (subject === null || subject === undefined) return;
    if (result >= 0 && key !== "") this.#byKey.set(key, subject);
    subject.changed(operation, mask, result);
  }

  reported(key: string, mask: number): void {
    this.#events++;
    const subject = this.#byKey.get(key);
    if (subject !== undefined && !subject.oracle.closed) subject.reported(mask);
  }

  #perform(step: DescriptorStep | HandlerStep): void {
    switch (step.do) {
      case "commit":
        this.#engine.commit();
        return this.#assertCommitted();
      case "poll":
        return this.#poll();
      case "dispatch":
        return this.#dispatching(() => this.#engine.dispatch());
      case "turn":
        return this.#dispatching(() => this.#engine.turn(0));
      case "settle":
        return this.#settle();
      case "throw":
        throw new ScriptedError();
      case "haunt":
        for (const ghost of this.#ghosts) this.#peerWrites(ghost);
        return;
      case "open":
        if (this.#places[step.at] === null) this.#open(step);
        return;
      default: {
        const subject = this.#places[step.at];
        if (subject !== null && subject !== undefined) {
          this.#use(subject, step);
        }
      }
    }
  }

  #use(
    subject: Subject,
    step: Extract<DescriptorStep, { at: number }>,
  ): void {
    const { event, ends } = subject;
    switch (step.do) {
      case "verb":
        return this.#verb(subject, step.verb);
      case "script":
        subject.scripts[step.direction].push(step.actions);
        return;
      case "read":
        if (subject.kind !== "pipeWriter") this.#read(subject);
        return;
      case "drain":
        if (subject.kind !== "pipeWriter") { while (this.#read(subject) > 0); }
        return;
      case "write":
        if (subject.kind !== "pipeReader") this.#write(subject, one);
        return;
      case "fill":
        this.#fill(subject);
        return;
      case "peerWrites":
        subject.hasArrived(this.#peerWrites(ends));
        return;
      case "peerDrains":
        if (ends.peer >= 0) {
          drain(this.#trial.peerCalls, ends.peer);
          subject.hasRoom();
          if (subject.kind === "eventfd") subject.isTaken(Infinity);
        }
        return;
      case "peerCloses":
        return this.#peerCloses(subject);
      case "abandon":
        return this.#abandon(subject, event);
    }
  }

  #open(step: Extract<DescriptorStep, { do: "open" }>): void {
    const { trigger } = this.#scenario;
    const ends = openEnds(this.#trial.peerCalls, step.kind);
    if (ends === null) return;
    const handlers = {
      read: () => this.#handle(subject, "read"),
      write: () => this.#handle(subject, "write"),
      ...(step.errorHandler && {
        error: (_: FdEvent, error: SystemError | null) => {
          this.#ran++;
          subject.failed(error === null ? null : error.errno);
        },
      }),
    };
    const event = this.#engine.register(ends.fd, handlers);
    const { kind, errorHandler } = step;
    const subject = new Subject(event, ends, kind, errorHandler, trigger);
    this.#places[step.at] = subject;
  }

  #handle(subject: Subject, direction: Direction): void {
    this.#ran++;
    this.#trial.handler();
    subject.called(direction);
    if (this.#settling) return this.#consume(subject, direction);
    for (const action of subject.scripts[direction].shift() ?? []) {
      this.#perform(action);
    }
  }

  /** What a handler does that wants to be left alone. */
  #consume(subject: Subject, direction: Direction): void {
    if (direction === "write") return this.#verb(subject, "blockWrite");
    if (subject.kind === "pipeWriter") return this.#verb(subject, "disable");
    let count = 1;
    while (count > 0) count = this.#read(subject);
    if (count !== -EAGAIN) this.#verb(subject, "disable");
  }

  #verb(subject: Subject, verb: Verb): void {
    if (verb === "close") return this.#close(subject);
    subject.apply(verb);
    subject.event[verb]();
  }

  #close(subject: Subject): void {
    subject.leave(() => subject.event.close());
    this.#closePeer(subject.ends);
    this.#places[this.#places.indexOf(subject)] = null;
  }

  #abandon(subject: Subject, event: FdEvent): void {
    const { calls } = this.#world;
    const { ends } = subject;
    const fd = calls.fcntl(ends.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return;
    calls.close(ends.fd);
    subject.leave(() => event.detach());
    this.#ghosts.push({ fd, peer: ends.peer });
    this.#places[this.#places.indexOf(subject)] = null;
  }

  #read(subject: Subject): number {
    const count = uninterrupted(() => subject.event.read(scratch));
    if (count === -EAGAIN) subject.wouldBlock("read");
    else if (subject.kind !== "eventfd") subject.isTaken(count);
    else if (count > 0) {
      subject.isTaken(Infinity);
      subject.hasRoom();
    }
    return count;
  }

  #write(subject: Subject, bytes: Uint8Array): number {
    const count = uninterrupted(() => subject.event.write(bytes));
    if (count === -EAGAIN) subject.wouldBlock("write");
    // A counter is its own peer.
    else if (subject.kind === "eventfd") subject.hasArrived(count);
    return count;
  }

  #fill(subject: Subject): void {
    // Over TCP it is up to the two buffers and the time when there is room again.
    if (subject.kind === "pipeReader" || subject.kind === "tcp") return;
    const bytes = subject.kind === "eventfd" ? full : scratch;
    for (let count = 0; count < FILL_MAX; count++) {
      if (this.#write(subject, bytes) <= 0) return;
    }
  }

  /** Returns the bytes written. */
  #peerWrites({ peer }: Ends): number {
    if (peer < 0) return 0;
    const { peerCalls } = this.#trial;
    return Math.max(0, uninterrupted(() => peerCalls.write(peer, one)));
  }

  #peerCloses(subject: Subject): void {
    if (subject.ends.peer < 0) return;
    this.#closePeer(subject.ends);
    if (subject.kind === "eventfd") return;
    if (subject.kind !== "pipeWriter") subject.hasEnded();
    // Writing is pointless from here on, which is told, too.
    if (subject.kind !== "pipeReader") subject.hasRoom();
  }

  #closePeer(ends: Ends): void {
    if (ends.peer >= 0) this.#world.calls.close(ends.peer);
    ends.peer = -1;
  }

  #exorcise(): void {
    for (const ghost of this.#ghosts) {
      this.#world.calls.close(ghost.fd);
      this.#closePeer(ghost);
    }
    this.#ghosts.length = 0;
  }

  #poll(): void {
    const before = this.#events;
    const events = this.#engine.poll(0);
    const seen = this.#events - before;
    expect(events === seen, () => `poll() returned ${events}, not ${seen}`);
    this.#polled = true;
  }

  /** Runs handlers; each must be one that is due. */
  #dispatching(run: () => number): void {
    this.#ran = 0;
    this.#polled = false;
    let thrown = false;
    let returned = 0;
    try {
      returned = run();
    } catch (error) {
      this.#takeError(error, null);
      thrown = true;
    }
    if (thrown) return;
    const ran = this.#ran;
    expect(
      returned === ran,
      () => `it returned ${returned} handlers, not ${ran}`,
    );
    // Handlers that poll queue more.
    if (returned >= this.#scenario.dispatchMax || this.#polled) return;
    for (const subject of this.#places) subject?.assertDone();
  }

  #settle(): void {
    this.#exorcise();
    this.#settling = true;
    for (let turns = 0; this.#isBusy(); turns++) {
      expect(turns < SETTLED_WITHIN * PLACES, () => "it never comes to rest");
    }
    this.#settling = false;
    for (const subject of this.#places) {
      subject?.compare();
      subject?.assertDone();
      subject?.assertNothingOwed();
    }
    this.#assertCommitted();
  }

  /** Turns once. Whether there was anything to do. */
  #isBusy(): boolean {
    const events = this.#events;
    this.#dispatching(() => this.#engine.turn(0));
    return this.#ran > 0 || this.#events > events;
  }

  #assertCommitted(): void {
    for (const subject of this.#places) {
      expect(
        subject === null || !subject.event.changing,
        () => `${subject?.event.fd} is changing after a commit`,
      );
    }
  }

  /** What a handler threw, or a failed change that has no error handler. */
  #takeError(error: unknown, source: object | null): void {
    if (error instanceof ScriptedError) return;
    if (!(error instanceof SystemError) || error.syscall !== "epoll_ctl") {
      throw error;
    }
    const subject = this.#places.find((subject) =>
      subject?.event === source ||
      source === null && subject?.event.fd === error.fd
    );
    expect(
      subject?.hasErrorHandler === false,
      () => `${error.message} was not told to its own event`,
    );
    this.#ran++;
    subject?.failed(error.errno);
  }
}
