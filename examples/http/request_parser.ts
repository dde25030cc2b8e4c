/**
 * Requests out of bytes. Plain ones are taken as they lie; the others are for
 * llhttp, which is maintained, knows the ways in which requests are smuggled, and
 * keeps its place where a request comes in pieces.
 *
 * Compared on one core, for the 41 bytes that wrk sends, alone and sixteen in one
 * read, and for the 700 bytes of a browser, in nanoseconds a request:
 *
 * | parser                               | alone | of 16 | browser |
 * | ------------------------------------ | ----- | ----- | ------- |
 * | llhttp, from undici 8.13.1           |   153 |   141 |     944 |
 * | @perseveranza-pets/milo 0.2.1        |   366 |   342 |    1755 |
 * | http-parser-js 0.5.10                |   926 |   799 |    5426 |
 * | bare-http-parser 2.1.4               |  1548 |  1318 |   16801 |
 * | llhttp-wasm 1.0.3                    |  1844 |  1897 |   15158 |
 * | takePlain, for what is plain         |    49 |    44 |     637 |
 *
 * The last line is of another day, on which llhttp took 221, 183 and 1061.
 */
import {
  allocateBytes,
  allocateState,
  ERROR,
  llhttp,
  memory,
  METHOD_NAMES,
  parseFor,
  type ParserEvents,
} from "./llhttp.ts";
import { HEAD_BYTES_MAX, NOT_PLAIN, takePlain } from "./plain_request.ts";
import { HttpRequest } from "./request.ts";

/** The longest body; more is answered with 413. */
const BODY_BYTES_MAX = 1024 * 1024;
/** What one read brings, at the most. */
const READ_BYTES_MAX = 64 * 1024;

/** `next()`: everything is parsed, and no request has begun. */
export const NONE = 0;
/** `next()`: everything is parsed, and a request has begun. */
export const MORE = 1;
/** `next()`: the request is complete. */
export const COMPLETE = 2;

/** Where bytes are put for llhttp: those of one read, after those kept of others. */
const INPUT_BYTES = HEAD_BYTES_MAX + READ_BYTES_MAX;
const INPUT = allocateBytes(INPUT_BYTES);

const NOTHING = new Uint8Array(0);

/** What a callback returns to have llhttp stop. */
const STOP = -1;

/** A request line that is one, but for its method, after empty lines or none. */
const OTHER_METHOD = /^[\r\n]*[!#-'*+.^_`|~\w-]+ /;
/** The same but for the version. */
const OTHER_VERSION = /^[\r\n]*[A-Z-]+ \S+ HTTP\/\d\.\d\r\n/;

/** Takes what one connection reads, and gives its requests. */
export class RequestParser implements ParserEvents {
  /** The request that is complete, or has begun. */
  readonly request = new HttpRequest();

  /** llhttp's state, made for the first request that is not plain. */
  #parser = 0;
  /** The beginning of a request, or requests whose turn has not come. */
  #kept: Uint8Array | null = null;
  /** Where what is not parsed yet lies: what was read, or llhttp's memory. */
  #bytes = memory;
  #from = 0;
  #to = 0;
  /** Whether the fields are complete, and the body is not. */
  #inBody = false;
  readonly #body: Uint8Array[] = [];
  #bodyBytes = 0;
  /** The status that a callback has found to be the answer. */
  #refusal = 0;

  /** Whether the client waits for leave to send the body. */
  get expectsContinue(): boolean {
    return this.#inBody && this.#bodyBytes === 0 &&
      this.request.minorVersion > 0 &&
      this.request.header("expect")?.toLowerCase() === "100-continue";
  }

  /** Takes bytes; then `next()` is to be called until it returns `NONE` or `MORE`. */
  feed(chunk: Uint8Array): void {
    this.#bytes = chunk;
    this.#from = 0;
    this.#to = chunk.length;
    if (this.#kept === null) return;
    this.#move(this.#kept, chunk);
    this.#kept = null;
  }

  /** `COMPLETE`, `MORE`, `NONE`, or the status with which to refuse the request. */
  next(): number {
    if (this.#inBody) return this.#from === this.#to ? MORE : this.#parse();
    if (this.#from === this.#to) return NONE;
    const end = takePlain(this.request, this.#bytes, this.#from, this.#to);
    if (end === NOT_PLAIN) return this.#parse();
    this.#from = end;
    return COMPLETE;
  }

  /** `next()` by llhttp. */
  #parse(): number {
    if (this.#bytes !== memory) {
      this.#move(this.#bytes.subarray(this.#from, this.#to), NOTHING);
    }
    const error = parseFor(this, this.#parser, this.#from, this.#to);
    if (error === ERROR.OK) return this.#suspend();
    if (error === ERROR.PAUSED) return this.#completed();
    if (error === ERROR.PAUSED_UPGRADE) {
      // Nobody is obliged to upgrade: what follows is HTTP still.
      this.#from = llhttp.llhttp_get_error_pos(this.#parser);
      llhttp.llhttp_resume_after_upgrade(this.#parser);
      return this.#from === this.#to ? NONE : this.#parse();
    }
    return this.#refusal || this.#statusOf(error);
  }

  /** Keeps what is not parsed yet for another time. */
  keep(): void {
    if (this.#from === this.#to) return;
    this.#kept = this.#bytes.slice(this.#from, this.#to);
    this.#from = this.#to;
  }

  /** The connection is closed. */
  close(): void {
    if (this.#parser !== 0) llhttp.llhttp_free(this.#parser);
    this.#parser = 0;
  }

  begun(): number {
    this.request.begin(memory);
    return 0;
  }

  targetAt(at: number, length: number): number {
    this.request.setTarget(at, length);
    return 0;
  }

  nameAt(at: number, length: number): number {
    // Trailers of a chunked body are of no use to anybody here.
    if (this.#inBody) return 0;
    return this.request.addName(at, length) ? 0 : this.#refuse(431);
  }

  valueAt(at: number, length: number): number {
    if (this.#inBody) return 0;
    if (at + length - this.#from > HEAD_BYTES_MAX) return this.#refuse(431);
    // A second part is one of a folded line.
    return this.request.addValue(at, length) ? 0 : this.#refuse(400);
  }

  headEnded(keepAlive: number): number {
    const { request } = this;
    const parser = this.#parser;
    request.method = METHOD_NAMES[llhttp.llhttp_get_method(parser)];
    request.minorVersion = llhttp.llhttp_get_http_minor(parser);
    request.keepAlive = keepAlive === 1;
    this.#inBody = true;
    const refusal = llhttp.llhttp_get_http_major(parser) === 1
      ? refusalOf(request)
      : 505;
    return refusal === 0 ? 0 : this.#refuse(refusal);
  }

  bodyAt(at: number, length: number): number {
    this.#bodyBytes += length;
    if (this.#bodyBytes > BODY_BYTES_MAX) return this.#refuse(413);
    this.#body.push(memory.slice(at, at + length));
    return 0;
  }

  #refuse(status: number): number {
    this.#refusal = status;
    return STOP;
  }

  #completed(): number {
    this.#from = llhttp.llhttp_get_error_pos(this.#parser);
    llhttp.llhttp_resume(this.#parser);
    this.#inBody = false;
    if (this.#bodyBytes > 0) {
      this.request.body = joined(this.#body, this.#bodyBytes);
      this.#body.length = 0;
      this.#bodyBytes = 0;
    }
    return COMPLETE;
  }

  /** All bytes are parsed. */
  #suspend(): number {
    if (this.#inBody) {
      this.request.keep(this.#from, this.#to);
      this.#from = this.#to;
      return MORE;
    }
    // Fields in pieces are parsed again from the beginning.
    if (this.#to - this.#from > HEAD_BYTES_MAX) return 431;
    this.keep();
    llhttp.llhttp_reset(this.#parser);
    return MORE;
  }

  /** The status that says what was wrong; 400 where there is none of its own. */
  #statusOf(error: number): number {
    const text = new TextDecoder("latin1")
      .decode(memory.slice(this.#from, this.#to));
    switch (error) {
      case ERROR.INVALID_METHOD:
        return OTHER_METHOD.test(text) ? 501 : 400;
      case ERROR.INVALID_VERSION:
        return OTHER_VERSION.test(text) ? 505 : 400;
      case ERROR.PAUSED_H2_UPGRADE:
        return 505;
      default:
        return 400;
    }
  }

  /** Moves bytes into llhttp's memory, one part behind the other. */
  #move(first: Uint8Array, second: Uint8Array): void {
    const length = first.length + second.length;
    if (length > INPUT_BYTES) {
      throw new RangeError(
        `Cannot take ${second.length} bytes: a read brings ${READ_BYTES_MAX} at the most`,
      );
    }
    if (this.#parser === 0) this.#parser = allocateState();
    memory.set(first, INPUT);
    memory.set(second, INPUT + first.length);
    this.#bytes = memory;
    this.#from = INPUT;
    this.#to = INPUT + length;
  }
}

/** The status with which to refuse what llhttp lets pass; 0 for none. */
function refusalOf(request: HttpRequest): number {
  const hosts = request.count("host");
  if (hosts > 1 || hosts === 0 && request.minorVersion > 0) return 400;
  const coding = request.header("transfer-encoding");
  if (coding !== undefined) {
    if (request.minorVersion === 0) return 400;
    if (coding.toLowerCase() !== "chunked") return 501;
  }
  const length = request.header("content-length");
  if (length !== undefined && Number(length) > BODY_BYTES_MAX) return 413;
  const expected = request.header("expect");
  if (expected === undefined) return 0;
  return expected.toLowerCase() === "100-continue" ? 0 : 417;
}

function joined(pieces: Uint8Array[], length: number): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
