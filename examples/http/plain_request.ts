/**
 * The requests that nearly all are, recognised where they lie: a GET or a HEAD of
 * HTTP/1.1 that is complete, has no body, and has nothing that asks for more than
 * an answer. Whatever is not exactly so is left to the parser, from its first byte
 * on: this decides nothing but that.
 */
import { type HttpRequest, isNamed } from "./request.ts";

/** The longest request line and fields together. */
export const HEAD_BYTES_MAX = 16 * 1024;

/** What stands for a place: the request is not plain. */
export const NOT_PLAIN = -1;

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const SLASH = 0x2f;
const COLON = 0x3a;
const DEL = 0x7f;

/** What a byte may be in: bits of `CLASSES`. */
const TARGET = 1;
const NAME = 2;

/** `GET / HTTP/1.1`, a Host without a name, and an empty line. */
const SHORTEST_BYTES = 25;

/** The classes of each byte, as RFC 3986 and RFC 9110 have them. */
const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < CLASSES.length; byte++) {
  const letter = String.fromCharCode(byte);
  if (/[\w.~!$&'()*+,;=:@/?%-]/.test(letter)) CLASSES[byte] |= TARGET;
  if (/[\w!#$%&'*+.^`|~-]/.test(letter)) CLASSES[byte] |= NAME;
}

/**
 * Takes a plain request that begins at `from`. Returns the place behind it, or
 * `NOT_PLAIN`; what the request holds means nothing then.
 */
export function takePlain(
  request: HttpRequest,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const end = Math.min(to, from + HEAD_BYTES_MAX);
  if (end - from < SHORTEST_BYTES) return NOT_PLAIN;
  let at: number;
  if (isGet(bytes, from)) {
    request.method = "GET";
    at = from + 4;
  } else if (isHead(bytes, from)) {
    request.method = "HEAD";
    at = from + 5;
  } else return NOT_PLAIN;
  if (bytes[at] !== SLASH) return NOT_PLAIN;
  request.begin(bytes);
  const targetAt = at;
  while (at < end && (CLASSES[bytes[at]] & TARGET) !== 0) at++;
  request.setTarget(targetAt, at - targetAt);
  if (at + 11 > end || !isVersion(bytes, at)) return NOT_PLAIN;
  return takeFields(request, bytes, at + 11, end);
}

function takeFields(
  request: HttpRequest,
  bytes: Uint8Array,
  from: number,
  end: number,
): number {
  let at = from;
  let hosts = 0;
  while (at + 1 < end && bytes[at] !== CR) {
    const nameAt = at;
    while (at < end && (CLASSES[bytes[at]] & NAME) !== 0) at++;
    const nameLength = at - nameAt;
    if (nameLength === 0 || at === end || bytes[at] !== COLON) return NOT_PLAIN;
    at++;
    while (at < end && (bytes[at] === SPACE || bytes[at] === HTAB)) at++;
    const valueAt = at;
    while (at < end && isValue(bytes[at])) at++;
    if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
      return NOT_PLAIN;
    }
    if (!request.addName(nameAt, nameLength)) return NOT_PLAIN;
    request.addValue(valueAt, at - valueAt);
    at += 2;
    if (nameLength === 4 && isNamed(bytes, nameAt, "host")) hosts++;
    else if (asksForMore(bytes, nameAt, nameLength, valueAt)) return NOT_PLAIN;
  }
  if (at + 1 >= end || bytes[at + 1] !== LF || hosts !== 1) return NOT_PLAIN;
  request.minorVersion = 1;
  request.keepAlive = true;
  return at + 2;
}

/** Visible, a space, or beyond ASCII: what a value is of, but for tabs. */
function isValue(byte: number): boolean {
  return byte >= SPACE && byte !== DEL;
}

/** Whether a field is about a body, the connection, or another protocol. */
function asksForMore(
  bytes: Uint8Array,
  at: number,
  length: number,
  valueAt: number,
): boolean {
  switch (length) {
    case 6:
      return isNamed(bytes, at, "expect");
    case 7:
      return isNamed(bytes, at, "upgrade");
    case 10:
      return isNamed(bytes, at, "connection") &&
        // What holds anyway.
        !isNamed(bytes, valueAt, "keep-alive\r");
    case 14:
      return isNamed(bytes, at, "content-length");
    case 16:
      return isNamed(bytes, at, "proxy-connection");
    case 17:
      return isNamed(bytes, at, "transfer-encoding");
    default:
      return false;
  }
}

/** `GET ` */
function isGet(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x47 && bytes[at + 1] === 0x45 &&
    bytes[at + 2] === 0x54 && bytes[at + 3] === SPACE;
}

/** `HEAD ` */
function isHead(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x48 && bytes[at + 1] === 0x45 &&
    bytes[at + 2] === 0x41 && bytes[at + 3] === 0x44 && bytes[at + 4] === SPACE;
}

/** ` HTTP/1.1` and the end of the line. */
function isVersion(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === SPACE && bytes[at + 1] === 0x48 &&
    bytes[at + 2] === 0x54 && bytes[at + 3] === 0x54 &&
    bytes[at + 4] === 0x50 && bytes[at + 5] === SLASH &&
    bytes[at + 6] === 0x31 && bytes[at + 7] === 0x2e &&
    bytes[at + 8] === 0x31 && bytes[at + 9] === CR && bytes[at + 10] === LF;
}
