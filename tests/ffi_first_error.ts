/** Prints how many bytes of the heap the first error of a program takes. */
import { EBADF, SystemError } from "../ffi/mod.ts";

const { gc } = globalThis as unknown as { gc(): void };

function heapBytes(): number {
  gc();
  return Deno.memoryUsage().heapUsed;
}

heapBytes();
const before = heapBytes();
const { message } = new SystemError("read", EBADF);
const after = heapBytes();
console.log(after - before);
if (!message.includes("EBADF")) Deno.exit(1);
