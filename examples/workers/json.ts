/** What workers of the examples and their engines say to each other, as JSON. */

/** Numbers to add up. */
export interface Question {
  id: number;
  add: number[];
}

/** Their sum. */
export interface Answer {
  id: number;
  sum: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A value as bytes to post. */
export function toJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The value that was posted. It is the sender who knows its type. */
export function fromJson<T>(message: Uint8Array): T {
  return JSON.parse(decoder.decode(message)) as T;
}
