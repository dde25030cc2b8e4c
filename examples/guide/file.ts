/**
 * File operations that the kernel makes meanwhile: a block is written with
 * O_DIRECT, brought to the disk, and read again in two halves, each with a cookie
 * of its own. Results arrive as events; a negative one is an error number.
 *
 *     deno run --allow-ffi examples/guide/file.ts
 */
import { alignedBuffer, Engine } from "../../mod.ts";
import {
  check,
  close,
  EINVAL,
  errnoName,
  getpid,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_RDWR,
  open,
  unlink,
} from "../../ffi/mod.ts";

const BLOCK = 4096;

using engine = new Engine();
using io = engine.fileIo({ depth: 32 });

const path = `edgewise-${getpid()}.tmp`;
let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT);
// Some file systems, such as tmpfs on older kernels, do not offer O_DIRECT.
if (fd === -EINVAL) fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC);
check(fd, "open");
unlink(path);

const block = alignedBuffer(2 * BLOCK);
block.fill(1, 0, BLOCK).fill(2, BLOCK);
let remaining = 2;

io.write(fd, block, 0, (count) => {
  tell("write", count);
  io.fsync(fd, readHalves);
});

function readHalves(result: number): void {
  tell("fsync", result);
  for (const half of [0, 1]) {
    const buffer = alignedBuffer(BLOCK);
    // The cookie comes back with the result: these end in any order.
    io.read(fd, buffer, half * BLOCK, (count, cookie) => {
      tell(`read of half ${cookie}`, count);
      console.log(
        `half ${cookie} is all ${new Set(buffer).values().next().value}`,
      );
      if (--remaining === 0) engine.stop();
    }, half);
  }
}

function tell(what: string, result: number): void {
  console.log(`${what}: ${result < 0 ? errnoName(result) : result}`);
}

engine.run();
close(fd);
console.log("ended");
