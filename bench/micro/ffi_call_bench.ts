/** What a call of libc costs: the floor below everything else. */
import { EFD_NONBLOCK, eventfd, read, write } from "../../ffi/mod.ts";

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  abs: { parameters: ["i32"], result: "i32" },
  getppid: { parameters: [], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
});

const buffer = new Uint8Array(64);
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const fd = eventfd(0, EFD_NONBLOCK);

Deno.bench("abs(), which does nothing", () => {
  libc.abs(-1);
});

Deno.bench("getppid(), the shortest system call", () => {
  libc.getppid();
});

Deno.bench("recv() with a buffer, of no socket", () => {
  libc.recv(-1, buffer, buffer.length, 0);
});

Deno.bench("write() and read() of an eventfd, by ./ffi", () => {
  write(fd, one);
  read(fd, buffer);
});
