/**
 * A lane: a ring of bytes in shared memory, with one writer and one reader and
 * no lock between them.
 *
 * A message is a record: its length in four bytes, then its bytes, filled up to
 * a multiple of four. A descriptor that goes with it stands before, in four
 * bytes that tell themselves from a length. A record may wrap at the end of the
 * ring; these words never do. The writer fills the record in and then moves the
 * tail in one step, so that a writer which stops for good at any point leaves
 * the message whole or absent. Whoever writes next needs only what is published:
 * the head and the tail.
 *
 * The reader ends a lane by sealing it, in one step too: each message is
 * published before that, and taken, or never. So both sides agree on whose a
 * descriptor is.
 *
 * @module
 */

/**
 * Positions count bytes up to twice the capacity and start again: a full lane
 * differs from an empty one, and no counter lives long enough to overflow.
 */
const LAPS = 2;

// Words of the header. What the two sides write stands 128 bytes apart, because
// processors fetch lines of 64 bytes in pairs.
const HEAD = 0;
const WAITING = 1;
const TAIL = 32;

/** Bytes of a lane before its ring. */
export const LANE_HEADER_BYTES = 256;

/** Bytes of a record before its message, without a descriptor. */
export const RECORD_HEADER_BYTES = 4;

/** Bytes that a descriptor takes up before its message's record. */
export const RECORD_DESCRIPTOR_BYTES = 4;

/** No descriptor. */
export const NO_DESCRIPTOR = -1;

/** The tail of a lane that nothing can be published in any more. */
const SEALED = -1;

/** Up to here a loop over words copies faster than a call of `set` with a view made for it. */
const LOOP_MAX = 192;

/** The bytes that a message takes up in a lane. */
export function recordBytes(length: number): number {
  return (RECORD_HEADER_BYTES + length + 3) & ~3;
}

/** The memory of a lane, and what both sides know of it. */
abstract class Lane {
  readonly header: Int32Array<SharedArrayBuffer>;
  protected readonly bytes: Uint8Array<SharedArrayBuffer>;
  protected readonly words: Int32Array<SharedArrayBuffer>;
  protected readonly capacity: number;

  /** `at` is where the lane starts; the capacity is a multiple of four. */
  constructor(memory: SharedArrayBuffer, at: number, capacity: number) {
    const ring = at + LANE_HEADER_BYTES;
    this.header = new Int32Array(memory, at, LANE_HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, ring, capacity);
    this.words = new Int32Array(memory, ring, capacity / 4);
    this.capacity = capacity;
  }

  protected used(tail: number, head: number): number {
    const used = tail - head;
    return used < 0 ? used + this.capacity * LAPS : used;
  }

  protected advance(position: number, size: number): number {
    const next = position + size;
    const end = this.capacity * LAPS;
    return next >= end ? next - end : next;
  }

  protected offset(position: number): number {
    return position >= this.capacity ? position - this.capacity : position;
  }

  /** The offset of the word after this one. */
  protected next(offset: number): number {
    return offset + 4 === this.capacity ? 0 : offset + 4;
  }
}

/** The writer's side. One at a time for each lane. */
export class LaneWriter extends Lane {
  /** Where the next record starts. */
  tail: number;
  /** The reader's position as last seen: it may have moved on, never back. */
  headSeen: number;

  constructor(memory: SharedArrayBuffer, at: number, capacity: number) {
    super(memory, at, capacity);
    this.tail = Atomics.load(this.header, TAIL);
    this.headSeen = Atomics.load(this.header, HEAD);
  }

  /** Whether the reader had taken everything when it was last looked at. */
  wasEmpty(): boolean {
    return this.tail === this.headSeen;
  }

  /**
   * Writes a message whole, with a descriptor or without one. Returns false if
   * there is no room for it, or the lane is sealed.
   */
  write(message: Uint8Array, descriptor: number = NO_DESCRIPTOR): boolean {
    // Nothing of a sealed lane is free: the reader may still take what there is.
    if (this.tail === SEALED) return false;
    const length = message.length;
    let size = recordBytes(length);
    if (descriptor !== NO_DESCRIPTOR) size += RECORD_DESCRIPTOR_BYTES;
    if (size > this.#room() && size > this.#roomNow()) return false;
    let offset = this.offset(this.tail);
    if (descriptor !== NO_DESCRIPTOR) {
      // Negative, as no length is.
      this.words[offset >> 2] = ~descriptor;
      offset = this.next(offset);
    }
    this.words[offset >> 2] = length;
    offset = this.next(offset);
    const contiguous = this.capacity - offset;
    if (length <= contiguous) {
      this.bytes.set(message, offset);
    } else {
      this.bytes.set(message.subarray(0, contiguous), offset);
      this.bytes.set(message.subarray(contiguous), 0);
    }
    const tail = this.tail;
    const next = this.advance(tail, size);
    if (Atomics.compareExchange(this.header, TAIL, tail, next) !== tail) {
      return false;
    }
    this.tail = next;
    return true;
  }

  /**
   * Announces that this thread is about to wait for room. Look at the lane once
   * more after it, then call `wait`.
   */
  prepareToWait(): void {
    Atomics.store(this.header, WAITING, 1);
  }

  /** Waits until the reader made room, or the lane was woken, since `prepareToWait`. */
  wait(timeoutMs: number): void {
    Atomics.wait(this.header, WAITING, 1, timeoutMs);
  }

  #room(): number {
    return this.capacity - this.used(this.tail, this.headSeen);
  }

  #roomNow(): number {
    this.headSeen = Atomics.load(this.header, HEAD);
    return this.#room();
  }
}

/** The reader's side. One for each lane. */
export class LaneReader extends Lane {
  /** Where the next record starts. */
  head: number;
  /** The writer's position as last seen. */
  tailSeen: number;
  /** The descriptor that came with the message taken last, or `NO_DESCRIPTOR`. */
  descriptor: number = NO_DESCRIPTOR;

  constructor(memory: SharedArrayBuffer, at: number, capacity: number) {
    super(memory, at, capacity);
    this.head = Atomics.load(this.header, HEAD);
    this.tailSeen = this.head;
  }

  /** Whether no message waits. */
  isEmpty(): boolean {
    if (this.head !== this.tailSeen) return false;
    this.tailSeen = Atomics.load(this.header, TAIL);
    return this.head === this.tailSeen;
  }

  /**
   * Takes the next message: a view into `buffer`, valid until that is used
   * again, or null if there is none. Its room in the lane is free at once.
   */
  take(buffer: MessageBuffer): Uint8Array<ArrayBuffer> | null {
    if (this.isEmpty()) return null;
    let offset = this.offset(this.head);
    let length = this.words[offset >> 2];
    let size = 0;
    this.descriptor = NO_DESCRIPTOR;
    if (length < 0) {
      this.descriptor = ~length;
      size = RECORD_DESCRIPTOR_BYTES;
      offset = this.next(offset);
      length = this.words[offset >> 2];
    }
    offset = this.next(offset);
    const message = buffer.view(length);
    if (length <= LOOP_MAX) this.#copyWords(offset, length, buffer);
    else this.#copyBytes(offset, length, buffer);
    this.head = this.advance(this.head, size + recordBytes(length));
    Atomics.store(this.header, HEAD, this.head);
    if (Atomics.load(this.header, WAITING) !== 0 && this.#isRoomy()) {
      this.wake();
    }
    return message;
  }

  /** Ends the lane. Drops what was published, and hands its descriptors to `discard`. */
  seal(discard: (descriptor: number) => void): void {
    this.tailSeen = Atomics.exchange(this.header, TAIL, SEALED);
    while (this.head !== this.tailSeen) {
      const word = this.words[this.offset(this.head) >> 2];
      if (word < 0) discard(~word);
      const size = word < 0 ? RECORD_DESCRIPTOR_BYTES : recordBytes(word);
      this.head = this.advance(this.head, size);
    }
  }

  /** Ends the writer's wait. */
  wake(): void {
    // Cleared first: a writer between its announcement and its wait goes on too.
    Atomics.store(this.header, WAITING, 0);
    Atomics.notify(this.header, WAITING);
  }

  /**
   * Whether there is room enough to wake a writer for. One that is woken for
   * each message taken spends its time on waking up.
   */
  #isRoomy(): boolean {
    const used = this.used(this.tailSeen, this.head);
    return used === 0 || used <= this.capacity - this.capacity / 4;
  }

  #copyWords(offset: number, length: number, buffer: MessageBuffer): void {
    const from = this.words;
    const to = buffer.words;
    const count = (length + 3) >> 2;
    let index = offset >> 2;
    for (let at = 0; at < count; at++) {
      to[at] = from[index];
      if (++index === from.length) index = 0;
    }
  }

  #copyBytes(offset: number, length: number, buffer: MessageBuffer): void {
    const contiguous = Math.min(length, this.capacity - offset);
    buffer.bytes.set(this.bytes.subarray(offset, offset + contiguous));
    if (contiguous < length) {
      buffer.bytes.set(this.bytes.subarray(0, length - contiguous), contiguous);
    }
  }
}

/** Lengths below this keep their view, so that short messages allocate nothing. */
const VIEWS_MAX = 1024;

/**
 * A buffer for one message, used again for each. Handlers get plain memory, not
 * a view of the lane: TextDecoder and most of the web's interfaces refuse views
 * on shared memory, and the lane's room is free while the handler runs.
 */
export class MessageBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  words: Int32Array<ArrayBuffer>;
  readonly #bytesMax: number;
  #views: Uint8Array<ArrayBuffer>[] = new Array(VIEWS_MAX);

  constructor(messageMax: number) {
    this.#bytesMax = (messageMax + 3) & ~3;
    this.words = new Int32Array(this.#bytesMax / 4);
    this.bytes = new Uint8Array(this.words.buffer);
  }

  /** The first `length` bytes. */
  view(length: number): Uint8Array<ArrayBuffer> {
    const known = this.#views[length];
    if (known !== undefined && known.length === length) return known;
    // A handler may have transferred the buffer to another worker.
    if (this.bytes.length !== this.#bytesMax) this.#renew();
    const view = this.bytes.subarray(0, length);
    if (length < VIEWS_MAX) this.#views[length] = view;
    return view;
  }

  #renew(): void {
    this.words = new Int32Array(this.#bytesMax / 4);
    this.bytes = new Uint8Array(this.words.buffer);
    this.#views = new Array(VIEWS_MAX);
  }
}
