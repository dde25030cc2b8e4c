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
  /** The view of the last time: answers are often of one length. */
  #view = this.#bytes.subarray(0, 0);

  /** Adds bytes. Returns what of them the connection did not accept. */
  put(connection: Connection, bytes: Uint8Array): Uint8Array | null {
    if (bytes.length > OUTPUT_BYTES - this.#length) {
      return this.#putLarge(connection, bytes);
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return null;
  }

  /** Sends what there is, which is less than a connection buffers. */
  flush(connection: Connection): void {
    if (this.#length === 0) return;
    const bytes = this.#taken();
    if (!connection.closed) connection.write(bytes);
  }

  #putLarge(connection: Connection, bytes: Uint8Array): Uint8Array | null {
    const before = this.#taken();
    if (connection.closed) return null;
    const accepted = connection.writev([before, bytes]) - before.length;
    if (connection.closed || accepted === bytes.length) return null;
    return bytes.subarray(accepted);
  }

  #taken(): Uint8Array {
    if (this.#view.length !== this.#length) {
      this.#view = this.#bytes.subarray(0, this.#length);
    }
    this.#length = 0;
    return this.#view;
  }
}
