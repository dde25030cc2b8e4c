/** A message through the ring between two workers, both ends in this one. */
import {
  LANE_HEADER_BYTES,
  LaneReader,
  LaneWriter,
  MessageBuffer,
} from "../../src/lane.ts";

const CAPACITY = 64 * 1024;

const memory = new SharedArrayBuffer(LANE_HEADER_BYTES + CAPACITY);
const writer = new LaneWriter(memory, 0, CAPACITY);
const reader = new LaneReader(memory, 0, CAPACITY);
const buffer = new MessageBuffer(CAPACITY);

for (const bytes of [64, 1024]) {
  const message = new Uint8Array(bytes);
  Deno.bench(`${bytes} bytes written and taken`, () => {
    if (!writer.write(message)) throw new Error("the ring is full");
    if (reader.take(buffer) === null) throw new Error("the ring is empty");
  });
}
