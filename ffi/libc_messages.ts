/**
 * The C library's functions that send and receive whole messages, each
 * parameter beside its C declaration.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

/** Messages with addresses and control data, one and many at a time. */
export const messages = new Group(
  {
    sendmsg: {
      parameters: [
        "i32", // int sockfd
        "buffer", // const struct msghdr *msg
        "i32", // int flags
      ],
      result: "i32",
    },
    recvmsg: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct msghdr *msg
        "i32", // int flags
      ],
      result: "i32",
    },
    sendmmsg: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct mmsghdr *msgvec
        "u32", // unsigned int vlen
        "i32", // int flags
      ],
      result: "i32",
    },
    recvmmsg: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct mmsghdr *msgvec
        "u32", // unsigned int vlen
        "i32", // int flags
        "buffer", // struct timespec *timeout
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);
