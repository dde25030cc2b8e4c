/**
 * Messages that tell whether they are whole, and which ones they are.
 *
 * Each outbox that is opened is a stream. The size of a message follows from its
 * stream and its number. One of 8 bytes or more begins with both, and goes on
 * with bytes that follow from them. One of 1 to 7 bytes has the low bytes of the
 * number after one byte for the stream. One of no bytes can only be counted.
 */

/** What the sizes of a run are. */
export interface Sizes {
  readonly messageMax: number;
  /** The shortest but for 0: 8 where streams do not fit into a byte. */
  readonly shortest: 1 | 8;
}

const HEADER_BYTES = 8;
/** Every so many messages one may be of any size. */
const WIDE_EVERY = 8;
const NARROW_MAX = 64;

/** Bytes that repeat at no distance that matters. */
const noise = new Uint8Array(2 * 65536);
let state = 1;
for (let at = 0; at < noise.length; at++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  noise[at] = state >>> 24;
}

function hash(stream: number, number: number): number {
  let mixed = Math.imul(stream + 1, 0x9e3779b1) ^
    Math.imul(number + 1, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** From 0 to `messageMax`, both included. */
function sizeOf(sizes: Sizes, stream: number, number: number): number {
  const random = hash(stream, number);
  const { messageMax, shortest } = sizes;
  const max = random % WIDE_EVERY === 0
    ? messageMax
    : Math.min(NARROW_MAX, messageMax);
  const size = (random >>> 3) % (max + 1);
  return size < shortest ? 0 : size;
}

/** Makes the messages of a stream, in a buffer that is used again. */
export class MessageMaker {
  readonly #sizes: Sizes;
  readonly #bytes: Uint8Array;
  readonly #header: DataView;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
    this.#bytes = new Uint8Array(Math.max(HEADER_BYTES, sizes.messageMax));
    this.#header = new DataView(this.#bytes.buffer);
  }

  make(stream: number, number: number): Uint8Array {
    const size = sizeOf(this.#sizes, stream, number);
    const bytes = this.#bytes;
    if (size < HEADER_BYTES) {
      bytes[0] = stream;
      for (let at = 1; at < size; at++) bytes[at] = number >>> 8 * (at - 1);
    } else {
      this.#header.setUint32(0, stream, true);
      this.#header.setUint32(4, number, true);
      const from = hash(stream, number) & 0xffff;
      bytes.set(noise.subarray(from, from + size - HEADER_BYTES), HEADER_BYTES);
    }
    return bytes.subarray(0, size);
  }
}

/** What has arrived, checked as it comes. */
export class Ledger {
  received = 0;
  bytes = 0;
  #empty = 0;
  /** Empty messages that stand before what has arrived. */
  #emptyPassed = 0;
  readonly #sizes: Sizes;
  /** By stream, the number that comes next. */
  readonly #next = new Map<number, number>();

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
  }

  /** Throws unless it is whole and the next of its stream. */
  take(message: Uint8Array): void {
    this.received++;
    const size = message.length;
    this.bytes += size;
    if (size === 0) {
      this.#empty++;
      return;
    }
    const isShort = size < HEADER_BYTES;
    const stream = isShort ? message[0] : word(message, 0);
    const number = this.#passEmpty(stream, Infinity);
    const what = `stream ${stream}, message ${number}`;
    const expected = sizeOf(this.#sizes, stream, number);
    if (size !== expected) {
      throw new Error(`${what}: ${size} bytes instead of ${expected}`);
    }
    if (isShort) {
      for (let at = 1; at < size; at++) {
        if (message[at] !== (number >>> 8 * (at - 1) & 255)) {
          throw new Error(`${what}: another one came, or it is torn`);
        }
      }
    } else {
      const found = word(message, 4);
      if (found !== number) throw new Error(`${what}: ${found} came`);
      const from = (hash(stream, number) & 0xffff) - HEADER_BYTES;
      for (let at = HEADER_BYTES; at < size; at++) {
        if (message[at] !== noise[from + at]) {
          throw new Error(`${what}: torn at byte ${at} of ${size}`);
        }
      }
    }
    this.#next.set(stream, number + 1);
  }

  /** How many messages of a stream have arrived for certain, `end` at the most. */
  arrived(stream: number, end: number): number {
    return this.#passEmpty(stream, end);
  }

  /** Throws unless of each stream so many messages have arrived, and no others. */
  check(posted: ReadonlyMap<number, number>): void {
    for (const [stream, count] of posted) {
      const next = this.#passEmpty(stream, count);
      if (next !== count) {
        throw new Error(`stream ${stream}: ${count} sent, ${next} arrived`);
      }
    }
    const streams = this.#next.size;
    if (streams !== posted.size) {
      throw new Error(`${posted.size} streams sent, ${streams} arrived`);
    }
    if (this.#empty !== this.#emptyPassed) {
      throw new Error(
        `${this.#emptyPassed} empty messages sent, ${this.#empty} arrived`,
      );
    }
  }

  /** The next number of a stream, after empty messages, up to `end`. */
  #passEmpty(stream: number, end: number): number {
    let number = this.#next.get(stream) ?? 0;
    while (number < end && sizeOf(this.#sizes, stream, number) === 0) {
      this.#emptyPassed++;
      number++;
    }
    this.#next.set(stream, number);
    return number;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
    bytes[at + 3] << 24) >>> 0;
}
