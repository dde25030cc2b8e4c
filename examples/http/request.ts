/**
 * A request: text is made of its bytes only where somebody asks.
 */

/** Fields of one request, at the most. */
const FIELDS_MAX = 100;

/** Numbers kept for a field: where its name and its value begin, and their lengths. */
const SPAN = 4;

/** Those of the request that is being parsed or answered. */
const SPANS = new Int32Array(FIELDS_MAX * SPAN);

const NOTHING = new Uint8Array(0);

const SLASH = 0x2f;

/** A request, valid until the handler returns. */
export class HttpRequest {
  /** Such as `GET`. */
  method = "";
  /** The second 1 of HTTP/1.1. */
  minorVersion = 1;
  /** Whether the client goes on with this connection. */
  keepAlive = true;
  /** The body's bytes. */
  body: Uint8Array = NOTHING;

  /** What the spans are places in. */
  #bytes: Uint8Array = NOTHING;
  #targetAt = 0;
  #targetLength = 0;
  #spans = SPANS;
  #used = 0;
  #kept = false;

  /** What was asked for, as it was written. */
  get target(): string {
    return this.#text(this.#targetAt, this.#targetLength);
  }

  /** The target without a query, and without the host that one may name. */
  get path(): string {
    // Most often it is no more: no text need be made.
    if (this.#targetLength === 1 && this.#bytes[this.#targetAt] === SLASH) {
      return "/";
    }
    const target = this.target;
    const path = target.replace(/^https?:\/\/[^/?]*/i, "");
    const end = path.indexOf("?");
    return (end === -1 ? path : path.slice(0, end)) || "/";
  }

  /** The value of the first field of that name, which is in lower case. */
  header(name: string): string | undefined {
    const at = this.#find(name, 0);
    if (at === -1) return undefined;
    return this.#text(this.#spans[at + 2], this.#spans[at + 3]).trimEnd();
  }

  /** How many fields have that name, which is in lower case. */
  count(name: string): number {
    let count = 0;
    let at = this.#find(name, 0);
    while (at !== -1) {
      count++;
      at = this.#find(name, at + SPAN);
    }
    return count;
  }

  /** For the parser: another request begins, in these bytes. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#spans = SPANS;
    this.#targetLength = 0;
    this.#used = 0;
    this.#kept = false;
    this.body = NOTHING;
  }

  /** For the parser: the target. */
  setTarget(at: number, length: number): void {
    this.#targetAt = at;
    this.#targetLength = length;
  }

  /** For the parser: a field's name. Returns whether there is room for it. */
  addName(at: number, length: number): boolean {
    if (this.#used === SPANS.length) return false;
    this.#spans[this.#used] = at;
    this.#spans[this.#used + 1] = length;
    this.#spans[this.#used + 3] = 0;
    this.#used += SPAN;
    return true;
  }

  /** For the parser: its value. Returns whether it is the first one. */
  addValue(at: number, length: number): boolean {
    const first = this.#spans[this.#used - 1] === 0;
    this.#spans[this.#used - 2] = at;
    this.#spans[this.#used - 1] = length;
    return first;
  }

  /** For the parser: bytes and spans will be used for something else. */
  keep(from: number, to: number): void {
    if (this.#kept) return;
    this.#kept = true;
    this.#bytes = this.#bytes.slice(from, to);
    this.#spans = SPANS.slice(0, this.#used);
    this.#targetAt -= from;
    for (let at = 0; at < this.#used; at += SPAN) {
      this.#spans[at] -= from;
      this.#spans[at + 2] -= from;
    }
  }

  /** Where the field of that name is, from a place on; -1 if it is not there. */
  #find(name: string, from: number): number {
    for (let at = from; at < this.#used; at += SPAN) {
      const isAsLong = this.#spans[at + 1] === name.length;
      if (isAsLong && isNamed(this.#bytes, this.#spans[at], name)) return at;
    }
    return -1;
  }

  #text(at: number, length: number): string {
    let text = "";
    for (let index = at; index < at + length; index++) {
      text += String.fromCharCode(this.#bytes[index]);
    }
    return text;
  }
}

/** Whether a name, which is in lower case, stands at a place, in any case. */
export function isNamed(bytes: Uint8Array, at: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[at + index];
    const isUpper = byte >= 0x41 && byte <= 0x5a;
    if ((isUpper ? byte | 0x20 : byte) !== name.charCodeAt(index)) return false;
  }
  return true;
}
