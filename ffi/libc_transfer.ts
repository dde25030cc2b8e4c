/**
 * The C library's functions that move data between descriptors, and that tell
 * what a file is, each parameter beside its C declaration.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

/** Calls that move bytes without bringing them into the process. */
export const transfers = new Group(
  {
    sendfile: {
      parameters: [
        "i32", // int out_fd
        "i32", // int in_fd
        "buffer", // off_t *offset
        "u32", // size_t count
      ],
      result: "i32",
    },
    splice: {
      parameters: [
        "i32", // int fd_in
        "buffer", // off_t *off_in
        "i32", // int fd_out
        "buffer", // off_t *off_out
        "u32", // size_t len
        "u32", // unsigned int flags
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** What a file is. */
export const fileStatus = new Group(
  {
    // By syscall(2): musl before 1.2.5 lacks the symbol, not the call.
    statx: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // int dirfd
        "buffer", // const char *pathname
        "i32", // int flags
        "u32", // unsigned int mask
        "buffer", // struct statx *statxbuf
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);
