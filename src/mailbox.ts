/**
 * The shared memory of an inbox: what senders have to know, the words that wake
 * it, who owns which lane, and the lanes.
 *
 * @module
 */

import {
  LANE_HEADER_BYTES,
  LaneReader,
  LaneWriter,
  NO_DESCRIPTOR,
  RECORD_DESCRIPTOR_BYTES,
  RECORD_HEADER_BYTES,
} from "./lane.ts";
import { LaneDescriptor } from "./lane_descriptor.ts";

/**
 * Where an {@linkcode Inbox} takes messages: a plain object that structured
 * clone copies. Send it to any worker of the process with `postMessage`.
 */
export interface InboxAddress {
  /** The memory that both sides share. */
  readonly mailbox: SharedArrayBuffer;
}

/** The limits of an inbox, all set. */
export interface MailboxLimits {
  readonly sendersMax: number;
  readonly laneBytes: number;
  readonly messageMax: number;
}

/** "edge", so that other shared memory is not taken for a mailbox. */
const MAGIC = 0x65676564 | 0;

const SENDERS_MAX = 0xffff;
/** Positions count twice the bytes of a lane, in 31 bits. */
const LANE_BYTES_MAX = 0x3fffffff - RECORD_HEADER_BYTES -
  RECORD_DESCRIPTOR_BYTES - 3;

// The words of the header that never change.
const MAGIC_WORD = 0;
const LANES_WORD = 1;
const CAPACITY_WORD = 2;
const MESSAGE_MAX_WORD = 3;
const EVENTFD_WORD = 4;
const RECEIVER_WORD = 5;
const TAKES_DESCRIPTORS_WORD = 6;
// The words that do, 128 bytes apart where different sides write them.
const STATE_WORD = 32;
const NOTIFIED_WORD = 64;
const STOPPED_WORD = 65;
const LANES_OWNED_WORD = 96;

const HEADER_BYTES = 512;
/** For each lane its owner, then for each lane its owner's descriptor. */
const OWNER_BYTES = 8;
const DESCRIPTOR_BYTES = 4;
const LANE_ALIGNMENT = 128;

/** No thread owns the lane. */
const NOBODY = 0n;

/** Both sides' view of a mailbox. */
export class Mailbox {
  readonly address: InboxAddress;
  readonly lanes: number;
  readonly messageMax: number;
  /** The receiver's thread, by its kernel id. */
  readonly receiver: number;
  /** The word of `wakeup.ts`. */
  readonly state: Int32Array<SharedArrayBuffer>;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #owners: BigInt64Array<SharedArrayBuffer>;
  readonly #descriptors: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;

  private constructor(memory: SharedArrayBuffer) {
    const words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.address = { mailbox: memory };
    this.lanes = words[LANES_WORD];
    this.messageMax = words[MESSAGE_MAX_WORD];
    this.receiver = words[RECEIVER_WORD];
    this.state = words.subarray(STATE_WORD, STATE_WORD + 1);
    this.#words = words;
    this.#capacity = words[CAPACITY_WORD];
    this.#owners = new BigInt64Array(memory, HEADER_BYTES, this.lanes);
    this.#descriptors = new Int32Array(
      memory,
      HEADER_BYTES + this.lanes * OWNER_BYTES,
      this.lanes,
    );
  }

  /**
   * Allocates a mailbox.
   *
   * @throws {RangeError} If a limit is out of its range, or the memory is not to be had.
   */
  static create(limits: MailboxLimits, receiver: number): Mailbox {
    checkLimits(limits);
    const { sendersMax, laneBytes, messageMax } = limits;
    // A message as long as `laneBytes` has its header and a descriptor beside it.
    const capacity =
      (laneBytes + RECORD_HEADER_BYTES + RECORD_DESCRIPTOR_BYTES + 3) & ~3;
    const memory = new SharedArrayBuffer(
      laneAt(sendersMax, sendersMax, capacity),
    );
    const words = new Int32Array(memory);
    words[LANES_WORD] = sendersMax;
    words[CAPACITY_WORD] = capacity;
    words[MESSAGE_MAX_WORD] = messageMax;
    words[RECEIVER_WORD] = receiver;
    words[MAGIC_WORD] = MAGIC;
    const mailbox = new Mailbox(memory);
    mailbox.#descriptors.fill(NO_DESCRIPTOR);
    return mailbox;
  }

  /**
   * Opens the mailbox of an address.
   *
   * @throws {TypeError} If it is not the address of an inbox.
   */
  static open(address: InboxAddress): Mailbox {
    const memory: unknown = address?.mailbox;
    if (!(memory instanceof SharedArrayBuffer) || !isMailbox(memory)) {
      throw new TypeError(
        "Cannot open an outbox: the address is not the `address` of an inbox",
      );
    }
    return new Mailbox(memory);
  }

  /** The receiver's eventfd, by its own number; it closes the number with itself. */
  get eventfd(): number {
    return this.#words[EVENTFD_WORD];
  }

  /** To be set before anybody has the address. */
  set eventfd(fd: number) {
    this.#words[EVENTFD_WORD] = fd;
  }

  /** Whether descriptors may come with messages. */
  get takesDescriptors(): boolean {
    return this.#words[TAKES_DESCRIPTORS_WORD] !== 0;
  }

  /** To be set before anybody has the address. */
  set takesDescriptors(takes: boolean) {
    this.#words[TAKES_DESCRIPTORS_WORD] = Number(takes);
  }

  reader(lane: number): LaneReader {
    return new LaneReader(...this.#lane(lane));
  }

  /** For the owner of the lane only. */
  writer(lane: number): LaneWriter {
    return new LaneWriter(...this.#lane(lane));
  }

  /**
   * Makes `thread` the owner of a lane: of a free one, or else of one whose
   * thread is gone. What that has published stays in the lane, before what the
   * new owner will write. Returns -1 if there is none.
   */
  claim(thread: bigint, isGone: (thread: bigint) => boolean): number {
    const lane = this.#own(thread, isGone);
    // Told before anything is published: see `lanesOwned`.
    for (let owned = this.lanesOwned; owned <= lane; owned = this.lanesOwned) {
      Atomics.compareExchange(this.#words, LANES_OWNED_WORD, owned, lane + 1);
    }
    return lane;
  }

  /**
   * How many lanes, from the first on, were ever owned. In the others there is
   * nothing, and a receiver that has room for many senders need not look there.
   * It looks here after it said that it is asleep, as at the lanes.
   */
  get lanesOwned(): number {
    return Atomics.load(this.#words, LANES_OWNED_WORD);
  }

  /** Gives a lane back. Only its owner does. */
  release(lane: number): void {
    Atomics.store(this.#owners, lane, NOBODY);
  }

  /**
   * The descriptor that the owner of a lane has of the eventfd, or that the
   * last one left open when its thread ended.
   */
  descriptor(lane: number): LaneDescriptor {
    return new LaneDescriptor(this.#descriptors, lane);
  }

  /** Asks for a call of the notify handler. */
  notify(): void {
    Atomics.store(this.#words, NOTIFIED_WORD, 1);
  }

  /** Asks for the end of the engine's run. */
  stop(): void {
    Atomics.store(this.#words, STOPPED_WORD, 1);
  }

  /** Whether a notification or a stop waits to be taken. */
  hasRequest(): boolean {
    return Atomics.load(this.#words, NOTIFIED_WORD) !== 0 ||
      Atomics.load(this.#words, STOPPED_WORD) !== 0;
  }

  /** Whether there was a notification since the last call. */
  takeNotify(): boolean {
    return this.#take(NOTIFIED_WORD);
  }

  /** Whether there was a stop since the last call. */
  takeStop(): boolean {
    return this.#take(STOPPED_WORD);
  }

  #take(word: number): boolean {
    // A load costs far less than an exchange, and is all that most turns need.
    return Atomics.load(this.#words, word) !== 0 &&
      Atomics.exchange(this.#words, word, 0) !== 0;
  }

  #own(thread: bigint, isGone: (thread: bigint) => boolean): number {
    for (let lane = 0; lane < this.lanes; lane++) {
      if (this.#replaceOwner(lane, NOBODY, thread)) return lane;
    }
    for (let lane = 0; lane < this.lanes; lane++) {
      const owner = Atomics.load(this.#owners, lane);
      if (owner !== NOBODY && !isGone(owner)) continue;
      if (this.#replaceOwner(lane, owner, thread)) return lane;
    }
    return -1;
  }

  #replaceOwner(lane: number, owner: bigint, thread: bigint): boolean {
    return Atomics.compareExchange(this.#owners, lane, owner, thread) ===
      owner;
  }

  #lane(lane: number): [SharedArrayBuffer, number, number] {
    return [
      this.address.mailbox,
      laneAt(lane, this.lanes, this.#capacity),
      this.#capacity,
    ];
  }
}

/** Where a lane starts. The one after the last is where the memory ends. */
function laneAt(lane: number, lanes: number, capacity: number): number {
  return aligned(HEADER_BYTES + lanes * (OWNER_BYTES + DESCRIPTOR_BYTES)) +
    lane * aligned(LANE_HEADER_BYTES + capacity);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / LANE_ALIGNMENT) * LANE_ALIGNMENT;
}

function isMailbox(memory: SharedArrayBuffer): boolean {
  if (memory.byteLength < HEADER_BYTES) return false;
  const words = new Int32Array(memory, 0, HEADER_BYTES / 4);
  const lanes = words[LANES_WORD];
  return words[MAGIC_WORD] === MAGIC &&
    memory.byteLength === laneAt(lanes, lanes, words[CAPACITY_WORD]);
}

function checkLimits(limits: MailboxLimits): void {
  checkLimit("sendersMax", limits.sendersMax, SENDERS_MAX);
  checkLimit("laneBytes", limits.laneBytes, LANE_BYTES_MAX);
  checkLimit("messageMax", limits.messageMax, LANE_BYTES_MAX);
  if (limits.messageMax > limits.laneBytes) {
    throw new RangeError(
      `Cannot create an inbox: messageMax is ${limits.messageMax}, more than the ${limits.laneBytes} bytes of a lane`,
    );
  }
}

function checkLimit(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new RangeError(
      `Cannot create an inbox: ${name} must be an integer from 1 to ${max}, and is ${value}`,
    );
  }
}
