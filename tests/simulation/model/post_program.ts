/** Runs senders against an inbox, and judges what arrives and what is woken. */
import { Buffer } from "node:buffer";
import { Engine, type Inbox, Outbox, SystemError } from "../../../mod.ts";
import {
  check,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EpollEvents,
  EPOLLIN,
} from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import type { World } from "../world.ts";
import {
  OUTBOXES,
  type PostScenario,
  type PostStep,
  SENDERS_MAX,
  type SenderStep,
} from "./post_steps.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import { expect } from "./violation.ts";

const TURNS_MAX = 200;
const WAIT_MS = 2;
/** What the memory of a lane may be rounded up by. */
const ROUNDING_BYTES = 16;

/** An outbox, and what its messages begin with. */
interface Lane {
  readonly outbox: Outbox;
  readonly id: number;
}

/** One run of a scenario. */
export class PostRun {
  readonly #world: World;
  readonly #trial: Trial;
  readonly #scenario: PostScenario;
  readonly #engine: Engine;
  readonly #inbox: Inbox;
  readonly #outer: number;
  readonly #outerEvents = new EpollEvents(1);
  readonly #places: (Lane | null)[] = new Array(OUTBOXES).fill(null);
  /** What each sender has posted and nobody has got, by its id. */
  readonly #onTheirWay = new Map<number, Uint8Array[]>();
  readonly #scripts: (SenderStep | { do: "throw" })[][] = [];
  #ids = 0;
  #posts = 0;
  #owesNotify = false;
  #closed = false;
  /** Done when the engine begins to wait. */
  #meanwhile: (() => void) | null = null;

  constructor(scenario: PostScenario, world: World, trial: Trial) {
    this.#world = world;
    this.#trial = trial;
    this.#scenario = scenario;
    const { dispatchMax, steps: _, ...limits } = scenario;
    const onError = (error: unknown) => {
      if (!(error instanceof ScriptedError)) throw error;
    };
    this.#engine = new Engine({ dispatchMax, onError }, this.#watched());
    this.#inbox = this.#engine.inbox({
      ...limits,
      sendersMax: SENDERS_MAX,
      notify: () => this.#notified(),
    }, (message) => this.#arrived(message));
    // Registers it; from here on it can be woken.
    this.#engine.turn(0);
    const { calls } = world;
    this.#outer = check(calls.epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    this.#outerEvents.set(0, EPOLLIN, 0, 0);
    const { words } = this.#outerEvents;
    const { fd } = this.#engine;
    check(calls.epoll_ctl(this.#outer, EPOLL_CTL_ADD, fd, words), "epoll_ctl");
  }

  run(): void {
    this.#trial.begin();
    try {
      for (const step of this.#scenario.steps) {
        this.#trial.step();
        this.#perform(step);
        this.#assertAwake();
      }
      this.#settle();
    } finally {
      for (const lane of this.#places) lane?.outbox.close();
      this.#engine.close();
      this.#world.calls.close(this.#outer);
    }
  }

  #perform(step: PostStep): void {
    switch (step.do) {
      case "turn":
        this.#engine.turn(0);
        return;
      case "poll":
        this.#engine.poll(0);
        return;
      case "dispatch":
        this.#engine.dispatch();
        return;
      case "settle":
        return this.#settle();
      case "closeInbox":
        this.#inbox.close();
        this.#closed = true;
        return;
      case "script":
        this.#scripts.push(step.actions);
        return;
      case "wait":
        return this.#wait(step.meanwhile);
      default:
        this.#send(step);
    }
  }

  #send(step: SenderStep | { do: "throw" }): void {
    if (step.do === "throw") throw new ScriptedError();
    const lane = this.#places[step.at] ?? null;
    if (step.do === "open") {
      if (lane === null) this.#open(step.at);
      return;
    }
    if (lane === null) return;
    switch (step.do) {
      case "post":
        this.#post(lane, Math.min(step.length, this.#scenario.messageMax));
        return;
      case "fill":
        while (this.#post(lane, this.#scenario.messageMax) === "sent");
        return;
      case "notify":
        lane.outbox.notify();
        this.#owesNotify = !this.#closed;
        return;
      case "close":
        lane.outbox.close();
        this.#places[step.at] = null;
    }
  }

  #open(at: number): void {
    const taken = this.#places.filter((lane) => lane !== null).length;
    let outbox: Outbox;
    try {
      outbox = new Outbox(this.#inbox.address, this.#world.calls);
    } catch (error) {
      const known = error instanceof SystemError && this.#trial.faulty;
      expect(known || taken === SENDERS_MAX, () => `no outbox: ${error}`);
      return;
    }
    expect(taken < SENDERS_MAX, () => "more outboxes than lanes");
    this.#places[at] = { outbox, id: this.#ids++ };
  }

  /** Posts a message that no other is like. */
  #post({ outbox, id }: Lane, length: number) {
    const message = new Uint8Array(length).map((_, index) => id + index);
    if (length >= 4) new DataView(message.buffer).setInt16(2, this.#posts++);
    const waiting = this.#onTheirWay.get(id) ?? [];
    const used = bytesOf([...waiting, message]);
    const result = outbox.post(message);
    const { laneBytes } = this.#scenario;
    if (this.#closed) {
      expect(result === "closed", () => `a closed inbox says ${result}`);
      return result;
    }
    // The lane of one that was closed is given away with what is in it.
    const roomy = used + this.#orphanedBytes() <= laneBytes;
    expect(
      result === "sent" || result === "full" && !roomy,
      () => `${result} with ${used} of ${laneBytes} bytes`,
    );
    if (result === "sent") {
      const most = laneBytes + ROUNDING_BYTES;
      expect(used <= most, () => `${used} bytes in a lane of ${laneBytes}`);
      this.#onTheirWay.set(id, [...waiting, message]);
    }
    return result;
  }

  #orphanedBytes(): number {
    const ids = this.#places.map((lane) => lane?.id);
    return [...this.#onTheirWay]
      .reduce(
        (sum, [id, waiting]) => ids.includes(id) ? sum : sum + bytesOf(waiting),
        0,
      );
  }

  #arrived(message: Uint8Array): void {
    this.#trial.handler();
    expect(!this.#closed, () => "a message came after close()");
    // The first of one of the senders, whose first bytes tell them apart.
    const lane = [...this.#onTheirWay].find(([, [first]]) =>
      first !== undefined && Buffer.compare(first, message) === 0
    );
    expect(lane !== undefined, () => `[${message}] came, and was not next`);
    lane?.[1].shift();
    for (const action of this.#scripts.shift() ?? []) this.#send(action);
  }

  #notified(): void {
    this.#trial.handler();
    this.#owesNotify = false;
  }

  /** A wait ends at once for what comes just as it begins. */
  #wait(steps: SenderStep[]): void {
    this.#settle();
    const { calls, name } = this.#world;
    let awaited = false;
    this.#meanwhile = () => {
      for (const step of steps) this.#send(step);
      awaited = this.#isOwed();
    };
    const startMs = calls.now();
    this.#engine.turn(WAIT_MS);
    this.#meanwhile = null;
    const waitedMs = calls.now() - startMs;
    const slept = awaited && name === "simulated" && waitedMs > 0;
    expect(!slept, () => `slept for ${waitedMs} ms over a message`);
  }

  #settle(): void {
    for (let turns = 0; this.#isOwed() && turns < TURNS_MAX; turns++) {
      this.#engine.turn(0);
    }
    expect(!this.#isOwed(), () => "what was posted never came");
    while (this.#engine.turn(0) > 0);
  }

  #isOwed(): boolean {
    if (this.#closed) return false;
    return this.#owesNotify ||
      [...this.#onTheirWay.values()].some((waiting) => waiting.length > 0);
  }

  /** Between turns the engine's descriptor tells of what waits. */
  #assertAwake(): void {
    if (!this.#isOwed()) return;
    const { words } = this.#outerEvents;
    const { calls } = this.#world;
    let count: number;
    do count = calls.epoll_wait(this.#outer, words, 1, 0); while (count < 0);
    expect(count === 1, () => "nobody woke the engine for what was posted");
  }

  /** The world's calls, with whatever is to happen when a wait begins. */
  #watched(): SystemCalls {
    const { calls } = this.#world;
    const begin = () => {
      const meanwhile = this.#meanwhile;
      this.#meanwhile = null;
      meanwhile?.();
    };
    const waits = (wait: SystemCalls["epoll_wait"]) => {
      const begun: SystemCalls["epoll_wait"] = (...args) => {
        begin();
        return wait(...args);
      };
      return begun;
    };
    return {
      ...calls,
      epoll_wait: waits(calls.epoll_wait),
      epoll_pwait2: waits(calls.epoll_pwait2),
    };
  }
}

/** What messages take up in a lane. */
function bytesOf(messages: Uint8Array[]): number {
  return messages.reduce((sum, { length }) => sum + ((length + 3) & ~3) + 4, 0);
}
