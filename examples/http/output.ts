/**
 * What the answers of one read put together, so that all of them go out with one
 * system call.
 */
import type { Connection } from "../../mod.ts";

/** Beyond it a part is sent before the rest is there. */
const OUTPUT_BYTES = 64 * 1024;

/** Gathers bytes for one connection at a time. */
export class Output {
  readonly #bytes = new Uint8Array(OUTPUT_BYTES);
  #length = 0;
  /** All that there is, as long as it is one piece: it goes out uncopied. */
  #only: Uint8Array | null = null;
  /** The view of the last time: answers are often of one length. */
  #view = this.#bytes.subarray(0, 0);

  /**
   * Adds bytes, which must stay as they are until `flush()`. Returns whether there
   * was room for them.
   */
  put(bytes: Uint8Array): boolean {
    if (bytes.length > OUTPUT_BYTES - this.#length) return false;
    if (this.#length === 0) this.#only = bytes;
    else this.#append(bytes);
    this.#length += bytes.length;
    return true;
  }

  /**
   * Sends what there is, and bytes for which there is no room. Returns what of
   * them the connection did not accept.
   */
  putLarge(connection: Connection, bytes: Uint8Array): Uint8Array | null {
    const before = this.#taken();
    if (connection.closed) return null;
    const accepted = connection.writev([before, bytes]) - before.length;
    if (connection.closed || accepted === bytes.length) return null;
    return bytes.subarray(accepted);
  }

  /**
   * Sends what there is, which is less than a connection buffers. Returns whether
   * some of it waits for the client to read.
   */
  flush(connection: Connection): boolean {
    if (this.#length === 0) return false;
    const bytes = this.#taken();
    if (connection.closed) return false;
    connection.write(bytes);
    return connection.bufferedBytes > 0;
  }

  #append(bytes: Uint8Array): void {
    if (this.#only !== null) this.#bytes.set(this.#only);
    this.#only = null;
    this.#bytes.set(bytes, this.#length);
  }

  #taken(): Uint8Array {
    const only = this.#only;
    const length = this.#length;
    this.#only = null;
    this.#length = 0;
    if (only !== null) return only;
    if (this.#view.length !== length) {
      this.#view = this.#bytes.subarray(0, length);
    }
    return this.#view;
  }
}
