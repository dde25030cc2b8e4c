/** The C library's functions of sockets, as in `libc.ts`. @module */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

/** What a server does with sockets. */
export const sockets = new Group(
  {
    socket: {
      parameters: [
        "i32", // int domain
        "i32", // int type
        "i32", // int protocol
      ],
      result: "i32",
    },
    bind: {
      parameters: [
        "i32", // int sockfd
        "buffer", // const struct sockaddr *addr
        "u32", // socklen_t addrlen
      ],
      result: "i32",
    },
    listen: {
      parameters: [
        "i32", // int sockfd
        "i32", // int backlog
      ],
      result: "i32",
    },
    accept4: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct sockaddr *addr
        "buffer", // socklen_t *addrlen
        "i32", // int flags
      ],
      result: "i32",
    },
    getsockname: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct sockaddr *addr
        "buffer", // socklen_t *addrlen
      ],
      result: "i32",
    },
    setsockopt: {
      parameters: [
        "i32", // int sockfd
        "i32", // int level
        "i32", // int optname
        "buffer", // const void *optval
        "u32", // socklen_t optlen
      ],
      result: "i32",
    },
    recv: {
      parameters: [
        "i32", // int sockfd
        "buffer", // void *buf
        "u32", // size_t len
        "i32", // int flags
      ],
      result: "i32",
    },
    send: {
      parameters: [
        "i32", // int sockfd
        "buffer", // const void *buf
        "u32", // size_t len
        "i32", // int flags
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** More calls on sockets. */
export const moreSockets = new Group(
  {
    connect: {
      parameters: [
        "i32", // int sockfd
        "buffer", // const struct sockaddr *addr
        "u32", // socklen_t addrlen
      ],
      result: "i32",
    },
    getpeername: {
      parameters: [
        "i32", // int sockfd
        "buffer", // struct sockaddr *addr
        "buffer", // socklen_t *addrlen
      ],
      result: "i32",
    },
    getsockopt: {
      parameters: [
        "i32", // int sockfd
        "i32", // int level
        "i32", // int optname
        "buffer", // void *optval
        "buffer", // socklen_t *optlen
      ],
      result: "i32",
    },
    socketpair: {
      parameters: [
        "i32", // int domain
        "i32", // int type
        "i32", // int protocol
        "buffer", // int sv[2]
      ],
      result: "i32",
    },
    shutdown: {
      parameters: [
        "i32", // int sockfd
        "i32", // int how
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

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

/** Network interfaces. */
export const interfaces = new Group(
  {
    if_nametoindex: {
      parameters: ["buffer" /* const char *ifname */],
      result: "u32",
    },
  } as const satisfies SymbolTable,
);
