/** The table of descriptors: numbers that refer to open files. */
import { EBADF, EINVAL, EMFILE } from "../../ffi/errno_codes.ts";
import {
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
} from "../../ffi/constants.ts";
import { type OpenFile, SimulationError } from "./open_file.ts";

interface Descriptor {
  readonly file: OpenFile;
  closeOnExec: boolean;
}

/** Descriptors of a process. The lowest number that is free is the next one. */
export class Descriptors {
  /** One more than the highest number there may be. */
  max: number;
  readonly #table: (Descriptor | undefined)[] = [];
  #open = 0;
  /** No number below it is free. */
  #lowest = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** How many are open. */
  get open(): number {
    return this.#open;
  }

  /** The numbers that are open. */
  get numbers(): number[] {
    return [...this.#table.keys()].filter((fd) => this.#table[fd]);
  }

  file(fd: number): OpenFile | undefined {
    return this.#table[fd]?.file;
  }

  /** Whether so many more fit. */
  hasRoom(count = 1): boolean {
    return this.#open + count <= this.max;
  }

  /** Gives a file a number, from `lowest` on; -EMFILE drops it. */
  add(file: OpenFile, closeOnExec: boolean, lowest = 0): number {
    let fd = Math.max(lowest, this.#lowest);
    while (this.#table[fd] !== undefined) fd++;
    file.references++;
    if (fd >= this.max) {
      file.drop();
      return -EMFILE;
    }
    if (lowest <= this.#lowest) this.#lowest = fd + 1;
    this.#table[fd] = { file, closeOnExec };
    this.#open++;
    return fd;
  }

  close(fd: number): number {
    const descriptor = this.#table[fd];
    if (descriptor === undefined) return -EBADF;
    this.#table[fd] = undefined;
    this.#open--;
    this.#lowest = Math.min(this.#lowest, fd);
    descriptor.file.drop();
    return 0;
  }

  fcntl(fd: number, command: number, argument: number): number {
    const descriptor = this.#table[fd];
    if (descriptor === undefined) return -EBADF;
    const { file } = descriptor;
    switch (command) {
      case F_DUPFD:
      case F_DUPFD_CLOEXEC:
        if (argument < 0 || argument >= this.max) return -EINVAL;
        return this.add(file, command === F_DUPFD_CLOEXEC, argument);
      case F_GETFD:
        return descriptor.closeOnExec ? FD_CLOEXEC : 0;
      case F_SETFD:
        descriptor.closeOnExec = (argument & FD_CLOEXEC) !== 0;
        return 0;
      case F_GETFL:
        return O_RDWR | (file.nonblocking ? O_NONBLOCK : 0);
      case F_SETFL:
        file.nonblocking = (argument & O_NONBLOCK) !== 0;
        return 0;
      default:
        throw new SimulationError(`fcntl ${command} is not simulated`);
    }
  }
}
