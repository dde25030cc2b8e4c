/**
 * The C library's functions in use, by group, each parameter beside its C
 * declaration. Those of time, signals and processes are in `libc_process.ts`.
 *
 * Types keep calls on the runtime's fast path: `ssize_t` is i32, as Linux moves
 * 0x7ffff000 bytes at most in one call, and `size_t` is u32.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

export { Group };
export * from "./libc_aio.ts";
export * from "./libc_messages.ts";
export * from "./libc_inotify.ts";
export * from "./libc_proc.ts";
export * from "./libc_process.ts";
export * from "./libc_transfer.ts";

/** The calls of an event loop, from its first to its last. */
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
    close: { parameters: ["i32" /* int fd */], result: "i32" },
  } as const satisfies SymbolTable,
);

/** Waits with a signal mask or to the nanosecond. */
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
    // By syscall(2): glibc before 2.35 and musl lack the symbol, not the call.
    epoll_pwait2: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // int epfd
        "buffer", // struct epoll_event *events
        "i32", // int maxevents
        "buffer", // const struct timespec *timeout
        "buffer", // const sigset_t *sigmask
        // On the stack, where the upper half of a u32 would be left to chance.
        "u64", // size_t sigsetsize
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** The calls made most on descriptors that are no sockets. */
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

/** More calls on descriptors and files. */
export const moreFiles = new Group(
  {
    open: {
      parameters: [
        "buffer", // const char *pathname
        "i32", // int flags
        "u32", // ... mode_t mode
      ],
      result: "i32",
    },
    unlink: {
      parameters: ["buffer" /* const char *pathname */],
      result: "i32",
    },
    dup: { parameters: ["i32" /* int oldfd */], result: "i32" },
    dup3: {
      parameters: [
        "i32", // int oldfd
        "i32", // int newfd
        "i32", // int flags
      ],
      result: "i32",
    },
    pipe2: {
      parameters: [
        "buffer", // int pipefd[2]
        "i32", // int flags
      ],
      result: "i32",
    },
    ioctl: {
      parameters: [
        "i32", // int fd
        "u32", // unsigned long request
        "buffer", // ... void *argument
      ],
      result: "i32",
    },
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

/** Calls that move several pieces of memory. */
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
    // Of no bytes it answers with the address of its buffer.
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

/** Network interfaces. */
export const interfaces = new Group(
  {
    if_nametoindex: {
      parameters: ["buffer" /* const char *ifname */],
      result: "u32",
    },
  } as const satisfies SymbolTable,
);
