/** Reads all there is, again and again, until it has read so many bytes. */
import { check, EAGAIN, read } from "../../ffi/mod.ts";
import { waitReadable } from "./files.ts";
import { threadBody } from "./thread_body.ts";

/** What the reader is to do. */
export interface DrainerTask {
  fd: number;
  bytes: number;
}

threadBody(({ fd, bytes }: DrainerTask) => {
  const buffer = new Uint8Array(64 * 1024);
  let left = bytes;
  while (left > 0) {
    const count = read(fd, buffer);
    if (count === -EAGAIN) waitReadable(fd);
    else left -= check(count, "read");
  }
});
