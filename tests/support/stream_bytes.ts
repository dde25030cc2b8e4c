/** Bytes that every stream of a run is a part of, by its seed. */
import { Buffer } from "node:buffer";
import { pattern } from "./net_engine.ts";

/** A stream goes round after so many bytes. */
const PERIOD = 1 << 20;
/** The most that is looked at in one go. */
export const PIECE_MAX = 1 << 18;

const round = pattern(PERIOD, 7);
const bytes = Buffer.concat([round, round.subarray(0, PIECE_MAX)]);

/** The bytes of stream `seed` from `position` on; at most `PIECE_MAX`. */
export function streamBytes(
  seed: number,
  position: number,
  length: number,
): Uint8Array {
  const start = (seed * 4099 + position) % PERIOD;
  return bytes.subarray(start, start + length);
}

/** Whether a chunk is what stream `seed` has at `position`. */
export function isStreamBytes(
  seed: number,
  position: number,
  chunk: Uint8Array,
): boolean {
  const expected = streamBytes(seed, position, chunk.length);
  return Buffer.compare(expected, chunk) === 0;
}
