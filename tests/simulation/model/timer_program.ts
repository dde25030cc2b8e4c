/** Runs timers, and judges when, and in which order, they fire. */
import { Engine } from "../../../mod.ts";
import { EINTR } from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import type { World } from "../world.ts";
import { TimerModel } from "./timer_model.ts";
import { type TimerAction, TIMERS, type TimerScenario } from "./timer_steps.ts";
import { ScriptedError, type Trial } from "./trial.ts";
import { expect } from "./violation.ts";

/** Sums of fractions, rounded up to the nanosecond by the wait. */
const ROUNDING_MS = 0.001;

/** One run of a scenario. */
export class TimerRun {
  readonly #world: World;
  readonly #trial: Trial;
  readonly #scenario: TimerScenario;
  readonly #engine: Engine;
  readonly #timers: (TimerModel | null)[] = new Array(TIMERS).fill(null);
  #order = 0;

  constructor(scenario: TimerScenario, world: World, trial: Trial) {
    this.#world = world;
    this.#trial = trial;
    this.#scenario = scenario;
    const { dispatchMax } = scenario;
    const onError = (error: unknown) => {
      if (!(error instanceof ScriptedError)) throw error;
    };
    const calls = interruptedLate(world);
    this.#engine = new Engine({ dispatchMax, onError }, calls);
  }

  run(): void {
    this.#trial.begin();
    try {
      for (const step of this.#scenario.steps) {
        this.#trial.step();
        switch (step.do) {
          case "elapse":
            this.#world.elapse(step.ms);
            break;
          case "turn":
            this.#turn(step.timeoutMs);
            break;
          case "script":
            this.#timers[step.at]?.scripts.push(step.actions);
            break;
          default:
            this.#act(step);
        }
      }
    } finally {
      this.#engine.close();
    }
  }

  #act(action: TimerAction): void {
    if (action.do === "throw") throw new ScriptedError();
    const model = this.#timers[action.at];
    if (action.do === "set") return this.#set(action);
    if (model === null || model === undefined) return;
    if (action.do === "cancel") {
      model.timer?.cancel();
      return model.isCancelled();
    }
    // A period has to be one.
    const delayMs = Math.max(action.delayMs, 0.25);
    this.#timed(model, delayMs, () => model.timer?.reset(delayMs));
  }

  #set(action: Extract<TimerAction, { do: "set" }>): void {
    this.#timers[action.at]?.timer?.cancel();
    const { repeat, slackMs } = action;
    const delayMs = repeat ? Math.max(action.delayMs, 0.25) : action.delayMs;
    const model = new TimerModel(delayMs, repeat, slackMs);
    this.#timers[action.at] = model;
    const fire = () => this.#fire(model);
    this.#timed(model, delayMs, () => {
      model.timer = this.#engine.timer(delayMs, fire, { repeat, slackMs });
    });
  }

  #timed(model: TimerModel, delayMs: number, set: () => void): void {
    const { calls } = this.#world;
    const beforeMs = calls.now();
    set();
    model.isSet(beforeMs, calls.now(), delayMs, ++this.#order);
  }

  #fire(model: TimerModel): void {
    this.#trial.handler();
    expect(
      this.#timers.includes(model),
      () => "a timer fired that was replaced",
    );
    for (const other of this.#timers) {
      const passedOver = other !== null && other !== model &&
        model.isAfter(other);
      expect(!passedOver, () => "a timer fired before one that was due first");
    }
    model.fired(this.#world.calls.now());
    for (const action of model.scripts.shift() ?? []) this.#act(action);
  }

  /** Nothing that is due at the start of a turn is left after it. */
  #turn(timeoutMs: number): void {
    const { calls, name } = this.#world;
    const startMs = calls.now();
    const nearestMs = Math.min(
      ...this.#timers.map((model) =>
        model === null ? Infinity : model.deadlineMs + model.slackMs
      ),
    );
    const { dispatchMax } = this.#scenario;
    const ran = this.#engine.turn(timeoutMs);
    if (ran < dispatchMax) this.#assertFired(startMs);
    // Handlers that were left over from the last turn run before the wait.
    if (name === "real" || dispatchMax < TIMERS) return;
    const endMs = Math.max(startMs, Math.min(startMs + timeoutMs, nearestMs));
    const errorMs = calls.now() - endMs;
    expect(
      Math.abs(errorMs) <= ROUNDING_MS,
      () => `turn(${timeoutMs}) ended ${errorMs} ms after its time`,
    );
  }

  #assertFired(startMs: number): void {
    for (const model of this.#timers) {
      // One that a handler has set meanwhile has its turn in the next round.
      const late = model !== null && model.deadlineMs + model.slackMs < startMs;
      expect(
        !late,
        () => `a timer has not fired ${model?.deadlineMs}, ${startMs}`,
      );
    }
  }
}

/** Calls of a world in which a wait that is interrupted has lasted for a while. */
function interruptedLate(world: World): SystemCalls {
  return {
    ...world.calls,
    epoll_pwait2(epfd, words, eventsMax, timeoutMs) {
      const count = world.calls.epoll_pwait2(epfd, words, eventsMax, timeoutMs);
      if (count === -EINTR) world.elapse(timeoutMs / 2);
      return count;
    },
  };
}
