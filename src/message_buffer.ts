/**
 * Where a message stands while its handler runs.
 *
 * @module
 */

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
