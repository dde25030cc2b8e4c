/**
 * The C library's functions of inotify(7), each parameter beside its C
 * declaration.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

/** What happens to files. */
export const fileWatches = new Group(
  {
    inotify_init1: {
      parameters: ["i32"], // int flags
      result: "i32",
    },
    inotify_add_watch: {
      parameters: [
        "i32", // int fd
        "buffer", // const char *pathname
        "u32", // uint32_t mask
      ],
      result: "i32",
    },
    inotify_rm_watch: {
      parameters: [
        "i32", // int fd
        "i32", // int wd
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);
