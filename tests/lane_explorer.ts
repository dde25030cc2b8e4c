/**
 * Explores every interleaving of parties that run the project's own code on
 * shared memory, one atomic step at a time, on one thread.
 *
 * A party's code runs until it comes to a step: a call of `Atomics`, which the
 * explorer replaces, or of a model kernel. There an exception stops it. To go
 * on, its operation is run again from its start: steps that are done answer what
 * they answered before, and the memory looks to the code between them as it
 * looked before. So plain functions can be stopped between any two steps.
 *
 * Between steps the code may touch the memory plainly. Half of what it writes is
 * visible at once, and the rest with its next step, or never if it dies. What it
 * reads is read at once, and again before its next step with all that others
 * have written: if that makes a difference, it is a race, and an error.
 *
 * Steps on words that one party alone uses, or that nobody changes, need no
 * interleaving. Which these are is found out on the way: where one turns out to
 * be contended after all, the exploration starts again. What code does depends
 * on nothing but its place, what its step answered, and the memory; so it is run
 * once for each of these, not once for each state.
 */
import {
  atStart,
  keyOf,
  Memory,
  type PartyState,
  Place,
  type Saved,
  type State,
  type Step,
  type Write,
} from "./lane_states.ts";

/** Somebody who runs operations. All that it remembers from one to the next is in `save()`. */
export interface Party {
  readonly name: string;
  /** Whether it has nothing left to do. */
  isDone(): boolean;
  /** Runs its next operation. */
  run(): void;
  /** A copy of what it remembers; may hold objects that never change. */
  save(): Saved;
  restore(saved: Saved): void;
}

/** Something besides the memory that steps change: a model of the kernel. */
export interface World {
  save(): Saved;
  restore(saved: Saved): void;
}

/** What to explore. */
export interface Exploration {
  readonly memory: SharedArrayBuffer;
  readonly world: World;
  readonly parties: readonly Party[];
  /** Parties of which one may stop for good at any point. */
  readonly mortal?: readonly Party[];
  /** Called where nobody can go on. Memory, world and parties are as they are then. */
  readonly atEnd: (dead: Party | null) => void;
}

/** What was seen. */
export interface Explored {
  readonly states: number;
  readonly ends: number;
}

/** What a party's code did from one step to the next. */
interface Run {
  readonly party: PartyState;
  readonly writes: readonly Write[];
}

/** How a state came about. */
interface Trail {
  readonly what: string;
  readonly before: Trail | null;
}

/** Stops a party at a step. */
const STOP = new Error("stopped at a step");
/** What a step answers that has to wait for another one first. */
const WAITS = Symbol("waits");

const atomics = globalThis.Atomics;

/** The exploration under way, to which steps report. */
let current: Explorer | null = null;

/** Makes a call of a model kernel a step, possible when `isPossible` says so. */
export function step<T>(
  name: string,
  run: () => T,
  isPossible: () => boolean = () => true,
): T {
  if (current === null) return run();
  const made = { name, at: -1, bytes: 0, writes: true, run, isPossible };
  return current.reach(made) as T;
}

/** Whether a party has stopped for good, at this point of the exploration. */
export function isDead(party: Party): boolean {
  return current !== null && current.isDead(party);
}

/** Explores everything that can happen. Throws what the code, or `atEnd`, throws. */
export function explore(exploration: Exploration): Explored {
  const explorer = new Explorer(exploration);
  return withExplorer(explorer, () => explorer.explore());
}

/** Runs `fn` with the explorer, or nobody, in the way of `Atomics`. */
function withExplorer<T>(explorer: Explorer | null, fn: () => T): T {
  const before = { current, atomics: globalThis.Atomics };
  current = explorer;
  setAtomics(explorer?.standIn() ?? atomics);
  try {
    return fn();
  } finally {
    current = before.current;
    setAtomics(before.atomics);
  }
}

function setAtomics(value: unknown): void {
  const attributes = { value, writable: true, configurable: true };
  Object.defineProperty(globalThis, "Atomics", attributes);
}

class Explorer {
  readonly #exploration: Exploration;
  readonly #parties: readonly Party[];
  readonly #memory: Memory;
  readonly #seen = new Set<number>();
  readonly #toVisit: { state: State; trail: Trail | null }[] = [];
  /** What code did before, by all that it depends on. */
  readonly #runs = new Map<string, Run>();
  readonly #checked = new Set<string>();
  #state: State = { words: new Int32Array(0), world: {}, parties: [] };
  #trail: Trail | null = null;
  #ends = 0;

  // Of the code that is running.
  #party = 0;
  #results: unknown[] = [];
  #views: Int32Array[] = [];
  #stepsDone = 0;
  #isCheck = false;
  #reached: Step | null = null;

  /** Where the word is whose waits the step under way ended, or -1. */
  #notified = -1;

  constructor(exploration: Exploration) {
    this.#exploration = exploration;
    this.#parties = exploration.parties;
    this.#memory = new Memory(exploration.memory);
  }

  explore(): Explored {
    const { world } = this.#exploration;
    const words = this.#memory.words.slice();
    const savedWorld = world.save();
    const parties = this.#parties.map((party) => atStart(party.save()));
    for (;;) {
      this.#memory.words.set(words);
      world.restore(savedWorld);
      this.#memory.hasGrown = false;
      if (this.#tryFrom(parties)) break;
    }
    return { states: this.#seen.size, ends: this.#ends };
  }

  isDead(party: Party): boolean {
    return this.#state.parties[this.#parties.indexOf(party)]?.alive === false;
  }

  /** The code has come to a step: answers what that answered, or stops. */
  reach(step: Step): unknown {
    const { words } = this.#memory;
    const index = this.#stepsDone++;
    if (index < this.#results.length) {
      if (index + 1 < this.#views.length) words.set(this.#views[index + 1]);
      return this.#results[index];
    }
    this.#reached = step;
    if (this.#isCheck || this.#memory.isContended(step)) throw STOP;
    if (this.#plainWrites().length > 0) throw STOP;
    this.#memory.noteStep(step, this.#party);
    const result = step.run();
    this.#results.push(result);
    this.#views.push(words.slice());
    return result;
  }

  /** Explores from here; false if it has to be done again. */
  #tryFrom(parties: readonly PartyState[]): boolean {
    this.#seen.clear();
    this.#runs.clear();
    this.#checked.clear();
    this.#ends = 0;
    const world = this.#exploration.world.save();
    this.#state = { words: this.#memory.save(), world, parties };
    this.#trail = null;
    for (const index of parties.keys()) this.#runCode(index);
    this.#toVisit.length = 0;
    this.#later();
    while (!this.#memory.hasGrown) {
      const next = this.#toVisit.pop();
      if (next === undefined) return true;
      this.#visit(next.state, next.trail);
    }
    return false;
  }

  #visit(state: State, trail: Trail | null): void {
    const key = keyOf(state);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    let moved = false;
    for (const index of state.parties.keys()) {
      this.#load(state, trail);
      if (!canMove(state.parties[index])) continue;
      moved = true;
      this.#move(index);
      this.#later();
    }
    if (!moved) this.#end(state, trail);
    if (!state.parties.every((party) => party.alive)) return;
    for (const party of this.#exploration.mortal ?? []) {
      const index = this.#parties.indexOf(party);
      if (state.parties[index].step === null) continue;
      this.#load(state, trail);
      this.#kill(index);
      this.#later();
    }
  }

  #end(state: State, trail: Trail | null): void {
    this.#ends++;
    this.#load(state, trail);
    for (const [index, party] of this.#parties.entries()) {
      party.restore(state.parties[index].saved);
    }
    const dead = state.parties.findIndex((party) => !party.alive);
    try {
      withExplorer(null, () => {
        this.#exploration.atEnd(this.#parties[dead] ?? null);
      });
    } catch (error) {
      throw this.#withTrail(error);
    }
  }

  #kill(index: number): void {
    this.#note(`${this.#parties[index].name} dies`);
    this.#set(index, {
      ...this.#state.parties[index],
      alive: false,
      hidden: [],
      waitsFor: -1,
      place: DEAD,
    });
  }

  /** The party's next move: its step, and the code after it. */
  #move(index: number): void {
    const party = this.#state.parties[index];
    const step = party.step as Step;
    this.#note(`${this.#parties[index].name}: ${step.name}`);
    this.#checkReads(index, party);
    this.#memory.apply(party.hidden);
    this.#memory.noteStep(step, index);
    this.#notified = -1;
    const result = step.run();
    const waits = result === WAITS;
    this.#set(index, {
      ...party,
      hidden: [],
      results: [...party.results, waits ? "ok" : result],
      waitsFor: waits ? step.at : -1,
    });
    if (this.#notified >= 0) this.#endWaits(this.#notified);
    if (!waits) this.#runCode(index);
  }

  /** Those that wait for a word go on. */
  #endWaits(at: number): void {
    for (const [index, party] of this.#state.parties.entries()) {
      if (party.waitsFor !== at) continue;
      this.#set(index, { ...party, waitsFor: -1 });
      this.#runCode(index);
    }
  }

  /** A party's code from the step that is done to the next one. */
  #runCode(index: number): void {
    const { place, results } = this.#state.parties[index];
    const inputs = this.#memory.hashOfPlain();
    const key = `${index} ${place.id} ${String(results.at(-1))} ${inputs}`;
    let run = this.#runs.get(key);
    if (run === undefined) {
      const before = this.#memory.words.slice();
      const party = this.#runCodeAnew(index);
      run = { party, writes: this.#memory.writesSince(before) };
      this.#runs.set(key, run);
    } else {
      this.#memory.apply(run.writes);
    }
    this.#set(index, run.party);
  }

  #runCodeAnew(index: number): PartyState {
    const party = this.#parties[index];
    let state = this.#state.parties[index];
    for (;;) {
      this.#party = index;
      this.#results = [...state.results];
      this.#views = [...state.views, this.#memory.words.slice()];
      const ended = this.#replay(index, state.saved);
      const writes = this.#plainWrites();
      if (!ended) return this.#stopped(party, state, writes);
      if (writes.length > 0) {
        throw this.#withTrail("An operation ends with plain writes");
      }
      state = atStart(party.save());
      if (party.isDone()) return state;
    }
  }

  /** A party that has come to a step, and hides half of what it wrote on the way. */
  #stopped(
    party: Party,
    state: PartyState,
    writes: readonly Write[],
  ): PartyState {
    const hidden = writes.slice(writes.length >> 1);
    const before = new Uint8Array(this.#views[this.#views.length - 1].buffer);
    for (const { at } of hidden) this.#memory.bytes[at] = before[at];
    return {
      ...state,
      results: this.#results,
      views: this.#views,
      step: this.#reached,
      hidden,
      place: this.#place(party),
    };
  }

  /** What the code before the next step has read must be so still, and with what is hidden. */
  #checkReads(index: number, state: PartyState): void {
    const memory = this.#memory.words.slice();
    for (const { hidden } of this.#state.parties) this.#memory.apply(hidden);
    const live = this.#memory.words.slice();
    const key = `${state.place.id} ${this.#memory.hashOfPlain()}`;
    this.#memory.words.set(memory);
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    this.#results = [...state.results];
    this.#views = [...state.views.slice(0, -1), live];
    this.#isCheck = true;
    this.#replay(index, state.saved);
    this.#isCheck = false;
    this.#memory.words.set(memory);
    const place = this.#place(this.#parties[index]);
    if (place.text === state.place.text) return;
    throw this.#withTrail(
      `A race: what was read has changed\n${state.place.text}\n${place.text}`,
    );
  }

  /** Runs a party's operation as far as it gets. Whether that is to its end. */
  #replay(index: number, saved: Saved): boolean {
    const party = this.#parties[index];
    this.#stepsDone = 0;
    this.#reached = null;
    this.#memory.words.set(this.#views[0]);
    party.restore(saved);
    try {
      party.run();
      return true;
    } catch (error) {
      if (error === STOP) return false;
      throw this.#withTrail(error);
    }
  }

  #place(party: Party): Place {
    const saved = JSON.stringify(party.save());
    const results = this.#results.map(String);
    return new Place(`${saved} ${results} ${this.#reached?.name}`);
  }

  /** What the code has written since the last step. */
  #plainWrites(): Write[] {
    return this.#memory.writesSince(this.#views[this.#views.length - 1]);
  }

  #set(index: number, party: PartyState): void {
    const parties = [...this.#state.parties];
    parties[index] = party;
    this.#state = { ...this.#state, parties };
  }

  /** What came about is to be visited. */
  #later(): void {
    const { parties } = this.#state;
    const words = this.#memory.save();
    const world = this.#exploration.world.save();
    const state = { words, world, parties };
    this.#toVisit.push({ state, trail: this.#trail });
  }

  #load(state: State, trail: Trail | null): void {
    this.#state = state;
    this.#trail = trail;
    this.#memory.restore(state.words);
    this.#exploration.world.restore(state.world);
  }

  #note(what: string): void {
    this.#trail = { what, before: this.#trail };
  }

  #withTrail(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    const path: string[] = [];
    for (let at = this.#trail; at !== null; at = at.before) path.push(at.what);
    return new Error([message, ...path.reverse()].join("\n"), { cause: error });
  }

  /** What the code finds in place of `Atomics`. */
  standIn(): Record<string, unknown> {
    type Words = Int32Array<SharedArrayBuffer>;
    const made = (
      name: string,
      words: Words,
      index: number,
      values: number[],
      run: () => unknown,
    ) => {
      const bytes = words.BYTES_PER_ELEMENT;
      const at = words.byteOffset + index * bytes;
      return this.reach({
        name: [name, at, ...values].join(" "),
        at,
        bytes,
        writes: name !== "load",
        isPossible: () => true,
        run,
      });
    };
    const passOn =
      (name: "load" | "store" | "exchange" | "compareExchange") =>
      (words: Words, index: number, ...values: number[]) =>
        made(
          name,
          words,
          index,
          values,
          () =>
            Reflect.apply(atomics[name], atomics, [words, index, ...values]),
        );
    return {
      load: passOn("load"),
      store: passOn("store"),
      exchange: passOn("exchange"),
      compareExchange: passOn("compareExchange"),
      wait: (words: Words, index: number, value: number) =>
        made(
          "wait",
          words,
          index,
          [value],
          () => atomics.load(words, index) === value ? WAITS : "not-equal",
        ),
      notify: (words: Words, index: number) =>
        made("notify", words, index, [], () => {
          this.#notified = words.byteOffset + index * words.BYTES_PER_ELEMENT;
          return 0;
        }),
    };
  }
}

const DEAD = new Place("dead");

function canMove(party: PartyState): boolean {
  return party.alive && party.waitsFor < 0 && party.step !== null &&
    party.step.isPossible();
}
