/**
 * The C library's functions in use, by group, each parameter beside its C
 * declaration. Here are those of event loops, time, signals and processes.
 *
 * Types keep calls on the runtime's fast path: `ssize_t` is i32, as Linux moves
 * 0x7ffff000 bytes at most in one call, and `size_t` is u32.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

export { Group };
export * from "./libc_files.ts";
export * from "./libc_sockets.ts";

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

/** Calls made on another thread: they answer with a promise, and lose errno. */
export const threads = new Group(
  {
    ppoll: {
      parameters: [
        "buffer", // struct pollfd *fds
        "u32", // nfds_t nfds
        "buffer", // const struct timespec *tmo_p
        "buffer", // const sigset_t *sigmask
      ],
      result: "i32",
      nonblocking: true,
    },
  } as const satisfies SymbolTable,
);

/** Descriptors that are counters. */
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

/** The clock. */
export const clocks = new Group(
  {
    clock_gettime: {
      parameters: [
        "i32", // clockid_t clockid
        "buffer", // struct timespec *tp
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** Descriptors that are timers. */
export const timerfds = new Group(
  {
    timerfd_create: {
      parameters: [
        "i32", // int clockid
        "i32", // int flags
      ],
      result: "i32",
    },
    timerfd_settime: {
      parameters: [
        "i32", // int fd
        "i32", // int flags
        "buffer", // const struct itimerspec *new_value
        "buffer", // struct itimerspec *old_value
      ],
      result: "i32",
    },
    timerfd_gettime: {
      parameters: [
        "i32", // int fd
        "buffer", // struct itimerspec *curr_value
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** Signals, sent and received. */
export const signals = new Group(
  {
    signalfd: {
      parameters: [
        "i32", // int fd
        "buffer", // const sigset_t *mask
        "i32", // int flags
      ],
      result: "i32",
    },
    pthread_sigmask: {
      parameters: [
        "i32", // int how
        "buffer", // const sigset_t *set
        "buffer", // sigset_t *oldset
      ],
      result: "i32",
    },
    kill: {
      parameters: [
        "i32", // pid_t pid
        "i32", // int sig
      ],
      result: "i32",
    },
    sigqueue: {
      parameters: [
        "i32", // pid_t pid
        "i32", // int sig
        "i32", // const union sigval value, its int
      ],
      result: "i32",
    },
    // By syscall(2), as the next: not in every C library.
    tgkill: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // pid_t tgid
        "i32", // pid_t tid
        "i32", // int sig
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** Processes and threads. */
export const processes = new Group(
  {
    getpid: { parameters: [], result: "i32" },
    gettid: {
      name: "syscall",
      parameters: ["i32" /* long number */],
      result: "i32",
    },
    pidfd_open: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // pid_t pid
        "u32", // unsigned int flags
      ],
      result: "i32",
    },
    pidfd_send_signal: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "i32", // int pidfd
        "i32", // int sig
        "buffer", // siginfo_t *info
        "u32", // unsigned int flags
      ],
      result: "i32",
    },
    execve: {
      parameters: [
        "buffer", // const char *pathname
        "buffer", // char *const argv[]
        "buffer", // char *const envp[]
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
