/** Calls that are not simulated: a program that makes one is told at once. */
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { SimulationError } from "./open_file.ts";

function unsupported(name: keyof SystemCalls): () => never {
  return () => {
    throw new SimulationError(`${name} is not simulated`);
  };
}

/** They all throw. */
export const unsupportedCalls = {
  pthread_sigmask: unsupported("pthread_sigmask"),
  signalfd: unsupported("signalfd"),
  pidfd_open: unsupported("pidfd_open"),
  waitid: unsupported("waitid"),
  getdents64: unsupported("getdents64"),
  sendmsg: unsupported("sendmsg"),
  recvmsg: unsupported("recvmsg"),
  sendfile: unsupported("sendfile"),
  splice: unsupported("splice"),
  statx: unsupported("statx"),
  io_setup: unsupported("io_setup"),
  io_submit: unsupported("io_submit"),
  io_getevents: unsupported("io_getevents"),
  io_cancel: unsupported("io_cancel"),
  io_destroy: unsupported("io_destroy"),
  pread: unsupported("pread"),
  pwrite: unsupported("pwrite"),
  fsync: unsupported("fsync"),
  fdatasync: unsupported("fdatasync"),
} satisfies Partial<SystemCalls>;
