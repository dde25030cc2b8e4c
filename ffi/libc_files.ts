/**
 * The C library's functions of files and other descriptors, as in `libc.ts`.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

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

/** Linux AIO, by syscall(2). `aio_context_t` is an address, hence a bigint. */
export const aio = new Group(
  {
    io_setup: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "u32", // unsigned int nr_events
        "buffer", // aio_context_t *ctx_idp
      ],
      result: "i32",
    },
    io_destroy: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "u64", // aio_context_t ctx_id
      ],
      result: "i32",
    },
    io_submit: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "u64", // aio_context_t ctx_id
        "u32", // long nr
        "buffer", // struct iocb **iocbpp
      ],
      result: "i32",
    },
    io_getevents: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "u64", // aio_context_t ctx_id
        "u32", // long min_nr
        "u32", // long nr
        "buffer", // struct io_event *events
        "buffer", // struct timespec *timeout
      ],
      result: "i32",
    },
    io_cancel: {
      name: "syscall",
      parameters: [
        "i32", // long number
        "u64", // aio_context_t ctx_id
        "u64", // struct iocb *iocb
        "buffer", // struct io_event *result
      ],
      result: "i32",
    },
  } as const satisfies SymbolTable,
);

/** Calls on files at an offset, and those that reach the disk. */
export const fileOffsets = new Group(
  {
    pread: {
      parameters: [
        "i32", // int fd
        "buffer", // void *buf
        "u32", // size_t count
        "u64", // off_t offset, which is not negative
      ],
      result: "i32",
    },
    pwrite: {
      parameters: [
        "i32", // int fd
        "buffer", // const void *buf
        "u32", // size_t count
        "u64", // off_t offset, which is not negative
      ],
      result: "i32",
    },
    fsync: { parameters: ["i32" /* int fd */], result: "i32" },
    fdatasync: { parameters: ["i32" /* int fd */], result: "i32" },
  } as const satisfies SymbolTable,
);
