/** Calls on any descriptor, and those that make pipes, counters and timers. */
import {
  EACCES,
  EBADF,
  EINVAL,
  EMFILE,
  ENOENT,
} from "../../ffi/errno_codes.ts";
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EFD_SEMAPHORE,
  O_CLOEXEC,
  O_NONBLOCK,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
} from "../../ffi/constants.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { setTimespec } from "../../ffi/time.ts";
import { EventFd } from "./eventfd.ts";
import type { Kernel } from "./kernel.ts";
import { NullFile, SimulationError } from "./open_file.ts";
import { pipe } from "./pipe.ts";
import { TimerFile } from "./timerfd.ts";

type FileCalls = Pick<
  SystemCalls,
  | "gettid"
  | "open"
  | "eventfd"
  | "read"
  | "write"
  | "writev"
  | "close"
  | "fcntl"
  | "pipe2"
  | "timerfd_create"
  | "timerfd_settime"
  | "clock_gettime"
  | "unlink"
>;

/** Calls on files of any kind. */
export function fileCalls({ clock, descriptors, network }: Kernel): FileCalls {
  return {
    gettid: () => 1,
    open(path, flags) {
      if (path === "/dev/null") {
        return descriptors.add(new NullFile(false), (flags & O_CLOEXEC) !== 0);
      }
      // As on a machine that hides its processes.
      if (path.startsWith("/proc/")) return -EACCES;
      throw new SimulationError(`The file ${path} is not simulated`);
    },
    eventfd(count, flags) {
      const semaphore = (flags & EFD_SEMAPHORE) !== 0;
      const nonblocking = (flags & EFD_NONBLOCK) !== 0;
      const file = new EventFd(count, semaphore, nonblocking);
      return descriptors.add(file, (flags & EFD_CLOEXEC) !== 0);
    },
    read: (fd, buffer) => descriptors.file(fd)?.read(buffer) ?? -EBADF,
    write: (fd, bytes) => descriptors.file(fd)?.write(bytes) ?? -EBADF,
    writev(fd, chunks, count) {
      const length = chunks.slice(0, count)
        .reduce((sum, chunk) => sum + chunk.length, 0);
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks.slice(0, count)) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      return descriptors.file(fd)?.write(bytes) ?? -EBADF;
    },
    close: (fd) => descriptors.close(fd),
    fcntl: (fd, command, argument) => descriptors.fcntl(fd, command, argument),
    pipe2(fds, flags) {
      if (!descriptors.hasRoom(2)) return -EMFILE;
      const [reader, writer] = pipe((flags & O_NONBLOCK) !== 0);
      fds[0] = descriptors.add(reader, (flags & O_CLOEXEC) !== 0);
      fds[1] = descriptors.add(writer, (flags & O_CLOEXEC) !== 0);
      return 0;
    },
    timerfd_create(_clock, flags) {
      const file = new TimerFile(clock, (flags & TFD_NONBLOCK) !== 0);
      return descriptors.add(file, (flags & TFD_CLOEXEC) !== 0);
    },
    timerfd_settime(fd, flags, value) {
      const file = descriptors.file(fd);
      if (file === undefined) return -EBADF;
      return file instanceof TimerFile ? file.set(flags, value) : -EINVAL;
    },
    /** All clocks show the time of the one that there is. */
    clock_gettime(_clock, time) {
      setTimespec(time, 0, clock.nowMs);
      return 0;
    },
    unlink: (path) => network.unlink(path) ? 0 : -ENOENT,
  };
}
