/**
 * The kernel's asynchronous file operations, which the C library has no
 * functions for, and the plain ones at an offset, each parameter beside its C
 * declaration.
 *
 * @module
 */

import { Group } from "./group.ts";
import type { SymbolTable } from "./runtime.ts";

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
