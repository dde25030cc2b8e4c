/**
 * The buffer that all connections of an engine receive into. Handlers see views
 * of it, valid until they return.
 *
 * @module
 */

/** Bytes that one recv(2) can bring. */
export const RECEIVE_BYTES: number = 64 * 1024;

/** Views kept for use again, so that a steady stream allocates nothing. */
const VIEWS = 64;

/** A receive buffer, allocated on first use. */
export class ReceiveBuffer {
  #bytes: Uint8Array | null = null;
  readonly #views: (Uint8Array | null)[] = new Array(VIEWS).fill(null);

  /** The whole buffer. */
  get bytes(): Uint8Array {
    this.#bytes ??= new Uint8Array(RECEIVE_BYTES);
    return this.#bytes;
  }

  /** The first `length` bytes. */
  view(length: number): Uint8Array {
    const kept = this.#views[length & (VIEWS - 1)];
    if (kept !== null && kept.length === length) return kept;
    const view = this.bytes.subarray(0, length);
    this.#views[length & (VIEWS - 1)] = view;
    return view;
  }
}
