/**
 * Writes one unit as soon as the last one was taken: close to the moment in
 * which the other thread finds nothing more to read.
 */
import { check, write } from "../../ffi/mod.ts";
import { awaitWord } from "./thread.ts";
import { threadBody } from "./thread_body.ts";

/** What the writer is to do. */
export interface ByteWriterTask {
  fd: number;
  /** What is written each time. */
  unit: Uint8Array;
  rounds: number;
  /** One word: the units that were taken. */
  taken: Int32Array<SharedArrayBuffer>;
}

threadBody(({ fd, unit, rounds, taken }: ByteWriterTask) => {
  for (let round = 0; round < rounds; round++) {
    awaitWord(taken, 0, round);
    // Each round meets the other thread at another place.
    for (let turns = round % 128; turns > 0; turns--) Atomics.load(taken, 0);
    check(write(fd, unit), "write");
  }
});
