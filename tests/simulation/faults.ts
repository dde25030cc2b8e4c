/** Failures that a kernel may always give, injected at random by kind. */
import {
  EAGAIN,
  ECONNABORTED,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ENOSPC,
} from "../../ffi/errno_codes.ts";
import {
  EPOLL_CTL_ADD,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
} from "../../ffi/constants.ts";
import type { Bytes, SystemCalls } from "../../ffi/system_calls.ts";
import type { Descriptors } from "./descriptors.ts";
import { EVERYBODY, type OpenFile } from "./open_file.ts";
import { PipeReader, PipeWriter } from "./pipe.ts";
import { Socket } from "./socket.ts";
import { TcpStream } from "./tcp_stream.ts";
import { UnixStream } from "./unix_stream.ts";

/** The kinds of failures. */
export const FAULT_KINDS = [
  "EINTR",
  "EAGAIN",
  "shortRead",
  "shortWrite",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOSPC",
  "ECONNABORTED",
  "ECONNRESET",
  "ENOBUFS",
] as const;

/** A kind of failure. */
export type FaultKind = typeof FAULT_KINDS[number];

/** How many of the calls that may fail so do, from 0 to 1, by kind. */
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

/** Bits of a random number. */
const RANGE = 2 ** 20;

type Random = (bound: number) => number;

/** Decides which calls fail, and counts them. */
export class Faults {
  /** How often each kind has struck. */
  readonly struck: Record<FaultKind, number>;
  rates: FaultRates;
  readonly #random: Random;
  readonly #descriptors: Descriptors;

  constructor(rates: FaultRates, random: Random, descriptors: Descriptors) {
    this.rates = rates;
    this.#random = random;
    this.#descriptors = descriptors;
    this.struck = Object.fromEntries(
      FAULT_KINDS.map((kind) => [kind, 0]),
    ) as Record<FaultKind, number>;
  }

  /** A table of which calls fail now and then. */
  wrap(calls: SystemCalls): SystemCalls {
    const creating =
      <A extends unknown[]>(call: (...args: A) => number) => (...args: A) =>
        this.#noRoom() || call(...args);
    const waiting = (call: SystemCalls["epoll_wait"]) => {
      const interrupted: SystemCalls["epoll_wait"] = (...args) =>
        this.#strikes("EINTR") ? -EINTR : call(...args);
      return interrupted;
    };
    return {
      ...calls,
      epoll_create1: creating(calls.epoll_create1),
      eventfd: creating(calls.eventfd),
      timerfd_create: creating(calls.timerfd_create),
      socket: creating(calls.socket),
      pipe2: creating(calls.pipe2),
      open: creating(calls.open),
      fcntl: (fd, command, argument) => {
        const duplicates = command === F_DUPFD || command === F_DUPFD_CLOEXEC;
        return duplicates && this.#strikes("EMFILE")
          ? -EMFILE
          : calls.fcntl(fd, command, argument);
      },
      epoll_wait: waiting(calls.epoll_wait),
      epoll_pwait2: waiting(calls.epoll_pwait2),
      epoll_ctl: (epfd, operation, fd, event) => {
        if (operation === EPOLL_CTL_ADD) {
          if (this.#strikes("ENOMEM")) return -ENOMEM;
          if (this.#strikes("ENOSPC")) return -ENOSPC;
        }
        return calls.epoll_ctl(epfd, operation, fd, event);
      },
      accept4: (fd, ...rest) =>
        this.#noRoom() || this.#postpone(fd) || this.#aborted(fd) ||
        calls.accept4(fd, ...rest),
      read: (fd, buffer) =>
        this.#take(fd, buffer, (part) => calls.read(fd, part)),
      recv: (fd, buffer, flags) =>
        this.#take(fd, buffer, (part) => calls.recv(fd, part, flags)),
      write: (fd, bytes) =>
        this.#give(fd, bytes, (part) => calls.write(fd, part)),
      send: (fd, bytes, flags) =>
        this.#give(fd, bytes, (part) => calls.send(fd, part, flags)),
      writev: (fd, chunks, count) =>
        this.#postpone(fd) || calls.writev(fd, chunks, count),
      sendmmsg: (fd, ...rest) => {
        const failure = this.#postpone(fd);
        if (failure < 0) return failure;
        return this.#strikes("ENOBUFS")
          ? -ENOBUFS
          : calls.sendmmsg(fd, ...rest);
      },
      recvmmsg: (fd, ...rest) =>
        this.#postpone(fd) || calls.recvmmsg(fd, ...rest),
    };
  }

  #strikes(kind: FaultKind): boolean {
    const rate = this.rates[kind] ?? 0;
    if (rate === 0 || this.#random(RANGE) >= rate * RANGE) return false;
    this.struck[kind]++;
    return true;
  }

  /** The failure of a call that makes something, or 0. */
  #noRoom(): number {
    if (this.#strikes("EMFILE")) return -EMFILE;
    if (this.#strikes("ENFILE")) return -ENFILE;
    if (this.#strikes("ENOMEM")) return -ENOMEM;
    return this.#strikes("ENOBUFS") ? -ENOBUFS : 0;
  }

  /**
   * An interruption, or "not now" though it could be now, or 0. A kernel tells
   * of the change that comes after "not now", as this one does.
   */
  #postpone(fd: number): number {
    const file = this.#descriptors.file(fd);
    if (!(file instanceof Socket) && !isStream(file)) return 0;
    if (this.#strikes("EINTR")) return -EINTR;
    if (!file.nonblocking || !this.#strikes("EAGAIN")) return 0;
    file.wake(EVERYBODY);
    return -EAGAIN;
  }

  #aborted(fd: number): number {
    const listener = this.#descriptors.file(fd);
    const listens = listener instanceof Socket && listener.listening;
    if (!listens || listener.poll() === 0) return 0;
    if (!this.#strikes("ECONNABORTED")) return 0;
    const connection = listener.accept();
    if (typeof connection !== "number" && isSocket(connection)) {
      connection.reset();
    }
    return -ECONNABORTED;
  }

  #take(fd: number, buffer: Bytes, take: (part: Bytes) => number): number {
    return this.#transfer(fd, buffer, take, "shortRead");
  }

  #give(fd: number, bytes: Bytes, give: (part: Bytes) => number): number {
    return this.#transfer(fd, bytes, give, "shortWrite");
  }

  #transfer(
    fd: number,
    bytes: Bytes,
    call: (part: Bytes) => number,
    kind: "shortRead" | "shortWrite",
  ): number {
    const postponed = this.#postpone(fd);
    if (postponed < 0) return postponed;
    const file = this.#descriptors.file(fd);
    if (!isStream(file)) return call(bytes);
    if (isSocket(file) && this.#strikes("ECONNRESET")) file.reset();
    if (bytes.length < 2 || !this.#strikes(kind)) return call(bytes);
    const result = call(bytes.subarray(0, 1 + this.#random(bytes.length - 1)));
    // What was held back comes right after.
    file.wake(EVERYBODY);
    return result;
  }
}

type StreamSocket = TcpStream | UnixStream;

function isSocket(file: OpenFile | undefined): file is StreamSocket {
  return file instanceof TcpStream || file instanceof UnixStream;
}

/** Whether the transfers of a file may be cut. */
function isStream(
  file: OpenFile | undefined,
): file is StreamSocket | PipeReader | PipeWriter {
  return isSocket(file) || file instanceof PipeReader ||
    file instanceof PipeWriter;
}
