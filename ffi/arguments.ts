/**
 * Checks of arguments. The runtime checks them itself at first, but once V8 has
 * compiled a call it truncates instead (Deno 2.9): 3.7 becomes descriptor 3, and
 * NaN standard input. These checks cost nothing measurable.
 *
 * @module
 */

/** Bytes, words or any other view of memory. */
export type Memory = ArrayBufferView<ArrayBufferLike>;

/** The most that Linux moves in one call: 0x7ffff000 bytes. */
const TRANSFER_MAX = 0x7ffff000;

/** A signed 32-bit integer, or a TypeError. */
export function int32(value: number): number {
  const integer = value | 0;
  if (integer !== value) refuse("a signed", value);
  // Not the value: the runtime refuses -0.
  return integer;
}

/** An unsigned 32-bit integer, or a TypeError. */
export function uint32(value: number): number {
  const integer = value >>> 0;
  if (integer !== value) refuse("an unsigned", value);
  return integer;
}

function refuse(kind: string, value: unknown): never {
  throw new TypeError(
    `Cannot make a system call: an argument must be ${kind} 32-bit integer, the current value is ${value}`,
  );
}

/** How many bytes to move, as a `size_t` that fits 32 bits. */
export function transferSize(memory: Memory): number {
  return Math.min(memory.byteLength, TRANSFER_MAX);
}

/** Refuses memory that the kernel would write or read past the end of. */
export function requireRoom(memory: Memory, bytes: number, what: string): void {
  if (memory.byteLength >= bytes) return;
  throw new RangeError(
    `Cannot make a system call: ${what} takes ${bytes} bytes, the current length is ${memory.byteLength}`,
  );
}

const encoder = new TextEncoder();

/** A string as C has it, or a TypeError where it holds a NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError(
      `Cannot pass a string to C: it holds a NUL, the current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return encoder.encode(text + "\0");
}
