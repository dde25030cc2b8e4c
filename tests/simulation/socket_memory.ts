/** How the kernel counts the memory of what unix sockets have on the way. */

const PAGE = 4_096;
/** Of a buffer's descriptor (sk_buff) and of what stands at its end. */
const HEAD = 256;
const TAIL = 320;
/** Bytes that one allocation takes beside pages of their own. */
const LINEAR_MAX = PAGE - TAIL;
/** Pages of one buffer. */
const PAGED_MAX = 8 * PAGE;
const SMALLEST = 512;

/** The most that goes into one buffer of a socket with a send buffer of `sendMax`. */
export function pieceMax(sendMax: number): number {
  return Math.min((sendMax >> 1) - 64, LINEAR_MAX + PAGED_MAX);
}

/** The memory that a buffer with so many bytes counts for. */
export function trueSize(length: number): number {
  const over = Math.max(0, length - LINEAR_MAX);
  const paged = Math.min(length, roundUp(over, PAGE));
  const linear = roundUp(length - paged, 64) + TAIL;
  let allocated = SMALLEST;
  while (allocated < linear) allocated *= 2;
  return HEAD + allocated + roundUp(paged, PAGE);
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
