/** Runs verbs, peers and turns on descriptors, and judges each against its model. */
import { Engine, type FdEvent } from "../../../mod.ts";
import { EAGAIN, SystemError } from "../../../ffi/mod.ts";
import type { Direction, Verb } from "../../support/matrix_oracle.ts";
import type { World } from "../world.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import {
  type DescriptorScenario,
  type DescriptorStep,
  type HandlerStep,
  PLACES,
} from "./descriptor_steps.ts";
import { closePeer, openEnds } from "./descriptor_ends.ts";
import { type EpollObserver, spied } from "./epoll_spy.ts";
import { Ghosts } from "./ghosts.ts";
import { Subject } from "./subject.ts";
import {
  fill,
  peerCloses,
  peerDrains,
  peerWrites,
  readAll,
  readSome,
  writeOne,
} from "./transfers.ts";
import { expect } from "./violation.ts";

/** Turns after which handlers that consume all must have come to rest. */
const TURNS_MAX = 200;
/** How often, and how long, is waited for what is owed. */
const WAITS_MAX = 400;
const WAIT_MS = 5;

/** One run of a scenario. */
export class DescriptorRun implements EpollObserver {
  readonly #world: World;
  readonly #trial: Trial;
  readonly #scenario: DescriptorScenario;
  readonly #engine: Engine;
  readonly #places: (Subject | null)[] = new Array(PLACES).fill(null);
  readonly #byKey = new Map<string, Subject>();
  readonly #ghosts: Ghosts;
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
    this.#ghosts = new Ghosts(trial.peerCalls);
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
        closePeer(this.#trial.peerCalls, subject.ends);
      }
      this.#ghosts.close();
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
        return this.#ghosts.write();
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
    const { ends } = subject;
    const { peerCalls } = this.#trial;
    switch (step.do) {
      case "verb":
        return this.#verb(subject, step.verb);
      case "script":
        subject.scripts[step.direction].push(step.actions);
        return;
      case "read":
        readSome(subject);
        return;
      case "drain":
        readAll(subject);
        return;
      case "write":
        writeOne(subject);
        return;
      case "fill":
        return fill(subject);
      case "peerWrites":
        return subject.hasArrived(peerWrites(peerCalls, ends));
      case "peerDrains":
        return peerDrains(peerCalls, subject);
      case "peerCloses":
        return peerCloses(peerCalls, subject);
      case "abandon":
        return this.#abandon(subject);
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
    if (readAll(subject) !== -EAGAIN) this.#verb(subject, "disable");
  }

  #verb(subject: Subject, verb: Verb): void {
    if (verb === "close") return this.#close(subject);
    subject.apply(verb);
    subject.event[verb]();
  }

  #close(subject: Subject): void {
    subject.leave(() => subject.event.close());
    closePeer(this.#trial.peerCalls, subject.ends);
    this.#places[this.#places.indexOf(subject)] = null;
  }

  #abandon(subject: Subject): void {
    if (!this.#ghosts.add(subject)) return;
    this.#places[this.#places.indexOf(subject)] = null;
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
    this.#ghosts.close();
    this.#settling = true;
    let turns = 0;
    // What goes through a network may take its time.
    for (let waits = 0; waits < WAITS_MAX; waits++) {
      while (this.#isBusy()) {
        expect(turns++ < TURNS_MAX, () => "it never comes to rest");
      }
      if (!this.#places.some((subject) => subject?.isOwed)) break;
      this.#dispatching(() => this.#engine.turn(WAIT_MS));
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
