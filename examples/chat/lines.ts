/** Lines out of the chunks of a stream. */

/** The longest line, in bytes without its end. */
export const LINE_MAX = 512;

const LF = 10;
const decoder = new TextDecoder();

/** Puts one client's lines together, and bounds what it keeps of them. */
export class Lines {
  readonly #begun = new Uint8Array(LINE_MAX);
  #length = 0;
  #tooLong = false;

  /** The lines that a chunk ends; null stands for one that was too long. */
  *read(chunk: Uint8Array): Generator<string | null> {
    let start = 0;
    for (let end; (end = chunk.indexOf(LF, start)) >= 0; start = end + 1) {
      this.#add(chunk.subarray(start, end));
      yield this.#tooLong ? null : this.#text();
      this.#length = 0;
      this.#tooLong = false;
    }
    this.#add(chunk.subarray(start));
  }

  #add(bytes: Uint8Array): void {
    if (this.#length + bytes.length > LINE_MAX) this.#tooLong = true;
    if (this.#tooLong) return;
    this.#begun.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Without what a terminal would take for an order, a CR at the end included. */
  #text(): string {
    const text = decoder.decode(this.#begun.subarray(0, this.#length));
    return text.replace(/\p{Cc}/gu, "").trim();
  }
}
