/** Runs watches of signals: each hears of each signal once, in order. */
import { Engine, type SignalWatch, SystemError } from "../../../mod.ts";
import { SIGRTMIN, SIGUSR1, SIGUSR2 } from "../../../ffi/mod.ts";
import type { World } from "../world.ts";
import { SignalLayer } from "./signal_layer.ts";
import {
  type SignalAction,
  type SIGNALS,
  type SignalScenario,
  type SignalStep,
  WATCHES,
} from "./signal_steps.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import { expect } from "./violation.ts";

const TURNS_MAX = 2_000;
/** A handler that raises what it hears would go on for ever. */
const RAISED_MAX = 500;
const NUMBERS: Record<typeof SIGNALS[number], number> = {
  SIGUSR1,
  SIGUSR2,
  SIGRTMIN,
  "SIGRTMIN+1": SIGRTMIN + 1,
};

/** A watch, and the values that it has to hear of. */
interface Watcher {
  watch: SignalWatch | null;
  readonly number: number;
  readonly expected: number[];
  readonly scripts: SignalAction[][];
}

/** One run of a scenario. */
export class SignalRun {
  readonly #trial: Trial;
  readonly #scenario: SignalScenario;
  readonly #engine: Engine;
  readonly #signals: SignalLayer;
  readonly #places: (Watcher | null)[] = new Array(WATCHES).fill(null);
  #raised = 0;
  /** Whether the engine was refused what it needs to hear of signals. */
  #deaf = false;

  constructor(scenario: SignalScenario, world: World, trial: Trial) {
    this.#trial = trial;
    this.#scenario = scenario;
    this.#signals = new SignalLayer(world.calls, trial.peerCalls);
    const { dispatchMax } = scenario;
    const onError = (error: unknown) => this.#takeError(error);
    const { calls } = this.#signals;
    this.#engine = new Engine({ dispatchMax, onError }, calls);
  }

  run(): void {
    this.#trial.begin();
    try {
      for (const step of this.#scenario.steps) {
        this.#trial.step();
        this.#perform(step);
      }
      this.#settle();
    } finally {
      this.#engine.close();
    }
  }

  #perform(step: SignalStep): void {
    switch (step.do) {
      case "turn":
        this.#engine.turn(0);
        return;
      case "settle":
        return this.#settle();
      case "script":
        this.#places[step.at]?.scripts.push(step.actions);
        return;
      default:
        this.#act(step);
    }
  }

  #act(action: SignalAction): void {
    switch (action.do) {
      case "throw":
        throw new ScriptedError();
      case "watch":
        if (this.#places[action.at] === null) this.#watch(action);
        return;
      case "close":
        this.#places[action.at]?.watch?.close();
        this.#places[action.at] = null;
        return;
      case "raise":
        for (let count = 0; count < action.times; count++) {
          this.#raise(NUMBERS[action.signal]);
        }
    }
  }

  #watch(action: Extract<SignalAction, { do: "watch" }>): void {
    const number = NUMBERS[action.signal];
    // What nobody has been told of yet goes to newcomers, too.
    const expected = this.#signals.waiting(number);
    const watcher: Watcher = { watch: null, number, expected, scripts: [] };
    try {
      watcher.watch = this.#engine.signal(
        action.signal,
        ({ value }) => this.#heard(watcher, value),
      );
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return;
    }
    this.#places[action.at] = watcher;
  }

  #raise(number: number): void {
    if (this.#raised === RAISED_MAX) return;
    const value = ++this.#raised;
    if (!this.#signals.raise(number, value)) return;
    for (const watcher of this.#places) {
      if (watcher?.number === number) watcher.expected.push(value);
    }
  }

  #heard(watcher: Watcher, value: number): void {
    this.#trial.handler();
    const { number, expected } = watcher;
    expect(
      this.#places.includes(watcher),
      () => `signal ${number}: a watch heard of it after close()`,
    );
    const next = expected.shift();
    expect(
      value === next,
      () => `signal ${number}: heard of ${value}, not of ${next}`,
    );
    for (const action of watcher.scripts.shift() ?? []) this.#act(action);
  }

  #settle(): void {
    for (let turns = 0; this.#isOwed(); turns++) {
      expect(turns < TURNS_MAX, () => "a signal was never heard of");
      this.#engine.turn(0);
    }
  }

  #isOwed(): boolean {
    return !this.#deaf &&
      this.#places.some((watcher) => (watcher?.expected.length ?? 0) > 0);
  }

  #takeError(error: unknown): void {
    if (error instanceof ScriptedError) return;
    const refused = error instanceof SystemError && this.#trial.faulty;
    if (!refused) throw error;
    this.#deaf = true;
  }
}
