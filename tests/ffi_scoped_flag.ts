/** The permission for the C library alone, on this machine. */
import { existsSync } from "node:fs";
import { architecture } from "../ffi/mod.ts";

const path = [
  `/lib/${architecture}-linux-gnu/libc.so.6`,
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
].find((candidate) => existsSync(candidate));

/** Such as `--allow-ffi=/lib/x86_64-linux-gnu/libc.so.6`. */
export const scopedFlag: string = `--allow-ffi=${path}`;
