/** What `lane_explorer.ts` keeps of the states it has seen, and of the memory. */

/** A copy of what somebody remembers. Its JSON tells it from others. */
export type Saved = Readonly<Record<string, unknown>>;

/** Something that a party does, and that others can come before or after. */
export interface Step {
  readonly name: string;
  /** Where in the memory, or -1. */
  readonly at: number;
  readonly bytes: number;
  readonly writes: boolean;
  isPossible(): boolean;
  run(): unknown;
}

/** A change of one byte. */
export interface Write {
  readonly at: number;
  readonly byte: number;
}

/** Where a party stands, within its operation too. */
export interface PartyState {
  /** What it remembered when the operation started. */
  readonly saved: Saved;
  /** What the steps done in this operation answered. */
  readonly results: readonly unknown[];
  /** The memory that the code before, between and after them found. */
  readonly views: readonly Int32Array[];
  /** The step that it has come to; null when it has nothing left to do. */
  readonly step: Step | null;
  /** Plain writes that nobody else sees yet. */
  readonly hidden: readonly Write[];
  /** Where the word is that it waits for, or -1. */
  readonly waitsFor: number;
  readonly alive: boolean;
  /** Tells where it stands from all other places. */
  readonly place: Place;
}

/** A party that is about to run its next operation, or has none left. */
export function atStart(saved: Saved): PartyState {
  return {
    saved,
    results: [],
    views: [],
    step: null,
    hidden: [],
    waitsFor: -1,
    alive: true,
    place: new Place(JSON.stringify(saved)),
  };
}

/** Everything at one moment. */
export interface State {
  /** The words of the memory that are known to change. */
  readonly words: Int32Array;
  readonly world: Saved;
  readonly parties: readonly PartyState[];
}

/**
 * Numbers from here on, up to a thousand more, are serial numbers: the code only
 * compares them with the memory, and puts none there twice. So it matters only
 * whether one is there.
 */
export const SERIAL_MIN = 1_000_000;
const SERIALS = /\b1000\d\d\d\b/g;

function isSerial(word: number): boolean {
  return word >= SERIAL_MIN && word < SERIAL_MIN + 1000;
}

/** Two hashes of 32 bits: there are too many states to keep them whole. */
export class Hash {
  a = 0x811c9dc5 | 0;
  b = 0x9747b28c | 0;

  mix(value: number): void {
    this.a = Math.imul(this.a ^ value, 0x01000193);
    this.b = Math.imul(this.b ^ value, 0x5bd1e995);
    this.b ^= this.b >>> 15;
  }

  mixText(text: string): void {
    for (let at = 0; at < text.length; at++) this.mix(text.charCodeAt(at));
  }

  /** 53 bits of it. */
  get value(): number {
    return (this.a >>> 0) * 0x200000 + (this.b & 0x1fffff);
  }
}

/** Where a party stands, with the serial numbers taken out. */
export class Place {
  static readonly #ids = new Map<string, number>();

  readonly text: string;
  /** The same for the same text. */
  readonly id: number;
  readonly serials: readonly number[];
  readonly #hash = new Hash();

  constructor(text: string) {
    const ids = Place.#ids;
    this.text = text;
    this.id = ids.get(text) ?? ids.size;
    ids.set(text, this.id);
    this.serials = (text.match(SERIALS) ?? []).map(Number);
    this.#hash.mixText(text.replaceAll(SERIALS, "#"));
  }

  mixInto(hash: Hash, words: Int32Array): void {
    hash.mix(this.#hash.a);
    hash.mix(this.#hash.b);
    for (const serial of this.serials) hash.mix(words.indexOf(serial));
  }
}

/** What tells a state from others. */
export function keyOf({ words, world, parties }: State): number {
  const hash = new Hash();
  for (const word of words) hash.mix(isSerial(word) ? SERIAL_MIN : word);
  hash.mixText(JSON.stringify(world));
  for (const { place, hidden, waitsFor, alive } of parties) {
    place.mixInto(hash, words);
    hash.mix(hidden.length);
    hash.mix(waitsFor);
    hash.mix(Number(alive));
  }
  return hash.value;
}

/**
 * The shared memory, and who uses which of its words. Most of it is never
 * touched; what is, is found out on the way.
 */
export class Memory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Whether more words, or more contention, turned up since this was false. */
  hasGrown = false;
  readonly #known: number[] = [];
  readonly #isKnown: boolean[] = [];
  readonly #users: number[] = [];
  readonly #writers: number[] = [];

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
    this.bytes = new Uint8Array(memory);
    this.#users = new Array(this.words.length).fill(0);
    this.#writers = new Array(this.words.length).fill(0);
  }

  /** The words that are known to change. */
  save(): Int32Array {
    const saved = new Int32Array(this.#known.length);
    for (let at = 0; at < saved.length; at++) {
      saved[at] = this.words[this.#known[at]];
    }
    return saved;
  }

  restore(saved: Int32Array): void {
    for (let at = 0; at < saved.length; at++) {
      this.words[this.#known[at]] = saved[at];
    }
  }

  /** A hash of what code can read or write without a step of its own. */
  hashOfPlain(): number {
    const hash = new Hash();
    for (const word of this.#known) {
      if (!this.#isWordContended(word)) hash.mix(this.words[word]);
    }
    return hash.value;
  }

  /** Whether the order of this step among those of other parties matters. */
  isContended(step: Step): boolean {
    return step.at < 0 || this.#isWordContended(step.at >> 2);
  }

  /** Takes note of who uses a word. */
  noteStep(step: Step, party: number): void {
    if (step.at < 0) return;
    const last = (step.at + step.bytes - 1) >> 2;
    for (let word = step.at >> 2; word <= last; word++) {
      const before = this.#isWordContended(word);
      this.#users[word] |= 1 << party;
      if (step.writes) this.#writers[word] |= 1 << party;
      if (before !== this.#isWordContended(word)) this.hasGrown = true;
      this.#note(word);
    }
  }

  apply(writes: readonly Write[]): void {
    for (const { at, byte } of writes) this.bytes[at] = byte;
  }

  /** What has been written since the memory looked like `before`. */
  writesSince(before: Int32Array): Write[] {
    const bytes = new Uint8Array(before.buffer);
    const writes: Write[] = [];
    for (let word = 0; word < before.length; word++) {
      if (before[word] === this.words[word]) continue;
      this.#note(word);
      for (let at = 4 * word; at < 4 * word + 4; at++) {
        const byte = this.bytes[at];
        if (byte !== bytes[at]) writes.push({ at, byte });
      }
    }
    return writes;
  }

  #note(word: number): void {
    if (this.#isKnown[word]) return;
    this.#isKnown[word] = true;
    this.#known.push(word);
    this.hasGrown = true;
  }

  #isWordContended(word: number): boolean {
    const users = this.#users[word];
    return this.#writers[word] !== 0 && (users & (users - 1)) !== 0;
  }
}
