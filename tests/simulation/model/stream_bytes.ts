/** Bytes of which every position of every stream can be told from the others. */
import { Buffer } from "node:buffer";

/** The longest piece that is taken at a time. */
export const PIECE_MAX = 1 << 17;
const PERIOD = 1 << 16;
/** How far apart two streams begin. */
const APART = 4_099;

const bytes = new Uint8Array(PERIOD + PIECE_MAX);
for (let index = 0; index < bytes.length; index++) {
  const at = index % PERIOD;
  bytes[index] = Math.imul(at, 0x9e3779b1) >>> 13;
}

/** What stands at `position` of a stream, `length` bytes of it. */
export function pieceOf(
  stream: number,
  position: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const start = (stream * APART + position) % PERIOD;
  return bytes.subarray(start, start + length);
}

/** Whether `chunk` is what stands there. */
export function isPieceOf(
  stream: number,
  position: number,
  chunk: Uint8Array,
): boolean {
  return Buffer.compare(pieceOf(stream, position, chunk.length), chunk) === 0;
}
