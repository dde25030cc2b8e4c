/**
 * The C library's functions in use, by group, each parameter beside its C
 * declaration. A group is opened on its first use: opening all would take some
 * 6 ms of every program.
 *
 * The types are those that keep a call on the runtime's fast path: `ssize_t`
 * is read as i32, since Linux moves 0x7ffff000 bytes at most in one call, and
 * `size_t` is given as u32. 64-bit values, which arrive as bigint, are left to
 * calls that are rare.
 *
 * @module
 */

import { prepareErrno } from "./errno.ts";
import { library } from "./library.ts";
import type { Symbols, SymbolTable } from "./runtime.ts";

/** Functions that are opened together, on first use. */
export class Group<T extends SymbolTable> {
  readonly #table: T;
  #symbols: Symbols<T> | null = null;

  constructor(table: T) {
    this.#table = table;
  }

  /** The functions. */
  get c(): Symbols<T> {
    return this.#symbols ??= this.#open();
  }

  #open(): Symbols<T> {
    prepareErrno();
    return library().open(this.#table);
  }
}

export const epoll = new Group(
  {
    epoll_create1: { parameters: ["i32" /* int flags */], result: "i32" },
    epoll_ctl: {
      parameters: [
        "i32", // int epfd
        "i32", // int op
        "i32", // int fd
        "buffer", // struct epoll_event *event
      ],
      result: "i32",
    },
    epoll_wait: {
      parameters: [
        "i32", // int epfd
        "buffer", // struct epoll_event *events
        "i32", // int maxevents
        "i32", // int timeout
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

export const epollWaits = new Group(
  {
    epoll_pwait: {
      parameters: [
        "i32", // int epfd
        "buffer", // struct epoll_event *events
        "i32", // int maxevents
        "i32", // int timeout
        "buffer", // const sigset_t *sigmask
      ],
      result: "i32",
    },
    // Since glibc 2.35 and Linux 5.11.
    epoll_pwait2: {
      parameters: [
        "i32", // int epfd
        "buffer", // struct epoll_event *events
        "i32", // int maxevents
        "buffer", // const struct timespec *timeout
        "buffer", // const sigset_t *sigmask
      ],
      result: "i32",
      optional: true,
    },
  } as const satisfies SymbolTable,
);

export const files = new Group(
  {
    read: {
      parameters: [
        "i32", // int fd
        "buffer", // void *buf
        "u32", // size_t count
      ],
      result: "i32",
    },
    write: {
      parameters: [
        "i32", // int fd
        "buffer", // const void *buf
        "u32", // size_t count
      ],
      result: "i32",
    },
    close: { parameters: ["i32" /* int fd */], result: "i32" },
    fcntl: {
      parameters: [
        "i32", // int fd
        "i32", // int cmd
        "i32", // ... int arg
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

export const eventfds = new Group(
  {
    eventfd: {
      parameters: [
        "u32", // unsigned int initval
        "i32", // int flags
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

export const vectors = new Group(
  {
    readv: {
      parameters: [
        "i32", // int fd
        "buffer", // const struct iovec *iov
        "i32", // int iovcnt
      ],
      result: "i32",
    },
    writev: {
      parameters: [
        "i32", // int fd
        "buffer", // const struct iovec *iov
        "i32", // int iovcnt
      ],
      result: "i32",
    },
    // Of no bytes: it answers with the address of its buffer.
    memset: {
      parameters: [
        "buffer", // void *s
        "i32", // int c
        "u32", // size_t n
      ],
      result: "u64",
    },
  } as const satisfies SymbolTable,
);

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
    connect: {
      parameters: [
        "i32", // int sockfd
        "buffer", // const struct sockaddr *addr
        "u32", // socklen_t addrlen
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
    shutdown: {
      parameters: [
        "i32", // int sockfd
        "i32", // int how
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

export const polls = new Group(
  {
    poll: {
      parameters: [
        "buffer", // struct pollfd *fds
        "u32", // nfds_t nfds
        "i32", // int timeout
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** poll(2) on another thread. */
export const threadPolls = new Group(
  {
    poll: {
      ...{ parameters: ["buffer", "u32", "i32"], result: "i32" } as const,
      nonblocking: true,
    },
  } as const satisfies SymbolTable,
);
