/**
 * The C library's functions that tell of a process: its directory in /proc, its
 * end. Each parameter stands beside its C declaration.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

/** Directories and symbolic links. */
export const directories = new Group(
  {
    // By syscall(2): older C libraries lack it.
    getdents64: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // int fd
        "buffer", // void *dirp
        "u32", // size_t count
      ],
      result: "i32",
    },
    readlink: {
      parameters: [
        "buffer", // const char *path
        "buffer", // char *buf
        "u32", // size_t bufsiz
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** How children end. */
export const children = new Group(
  {
    waitid: {
      parameters: [
        "i32", // idtype_t idtype
        "i32", // id_t id
        "buffer", // siginfo_t *infop
        "i32", // int options
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);
