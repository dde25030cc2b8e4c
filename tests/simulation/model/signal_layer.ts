/**
 * Signals on top of a world that has none: what is raised waits until a
 * signalfd takes it, standard signals as one. A pipe with a byte in it makes the
 * descriptor readable. No thread is told of that does not block them all.
 */
import {
  EAGAIN,
  EFD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  sigismember,
  signalfd_siginfo,
  SIGRTMIN,
} from "../../../ffi/mod.ts";
import type { Bytes, SystemCalls } from "../../../ffi/system_calls.ts";

/** A signal that waits. */
interface Pending {
  readonly number: number;
  readonly value: number;
}

const THREADS = "/proc/self/task";
const ALL = 0xff;
const byte = new Uint8Array(1);

/** A world's calls, and signals. */
export class SignalLayer {
  readonly calls: SystemCalls;
  readonly #under: SystemCalls;
  #pending: Pending[] = [];
  #mask: Bytes = new Uint8Array();
  #reader = -1;
  #writer = -1;
  #readable = false;

  /** `under` has no faults. */
  constructor(calls: SystemCalls, under: SystemCalls) {
    this.#under = under;
    this.calls = {
      ...calls,
      pthread_sigmask(_how, _set, old) {
        old?.fill(ALL);
        return 0;
      },
      open: (path, flags) =>
        path === THREADS
          ? under.eventfd(0, EFD_CLOEXEC)
          : calls.open(path, flags),
      getdents64: () => 0,
      signalfd: (_fd, mask) => this.#signalfd(mask),
      read: (fd, buffer) =>
        fd === this.#reader ? this.#read(buffer) : calls.read(fd, buffer),
      close: (fd) => this.#close(fd),
    };
  }

  /** The values with which a signal waits. */
  waiting(number: number): number[] {
    return this.#pending.filter((pending) => pending.number === number)
      .map(({ value }) => value);
  }

  /** Whether it is one more that waits. */
  raise(number: number, value: number): boolean {
    if (number < SIGRTMIN && this.waiting(number).length > 0) return false;
    this.#pending.push({ number, value });
    this.#update();
    return true;
  }

  #signalfd(mask: Bytes): number {
    if (this.#reader < 0) {
      const pair = new Int32Array(2);
      const made = this.#under.pipe2(pair, O_NONBLOCK | O_CLOEXEC);
      if (made < 0) return made;
      [this.#reader = -1, this.#writer = -1] = pair;
    }
    this.#mask = mask.slice();
    this.#update();
    return this.#reader;
  }

  #read(buffer: Uint8Array): number {
    const most = Math.floor(buffer.length / signalfd_siginfo.size);
    // The kernel hands out low numbers first, and those of one number in order.
    const taken = this.#masked().sort((one, other) => one.number - other.number)
      .slice(0, most);
    if (taken.length === 0) return -EAGAIN;
    const view = new DataView(buffer.buffer, buffer.byteOffset);
    buffer.fill(0, 0, taken.length * signalfd_siginfo.size);
    taken.forEach(({ number, value }, index) => {
      const start = index * signalfd_siginfo.size;
      view.setInt32(start + signalfd_siginfo.ssi_signo, number, true);
      view.setInt32(start + signalfd_siginfo.ssi_int, value, true);
    });
    this.#pending = this.#pending.filter((pending) => !taken.includes(pending));
    this.#update();
    return taken.length * signalfd_siginfo.size;
  }

  #close(fd: number): number {
    if (fd !== this.#reader || fd < 0) return this.#under.close(fd);
    this.#under.close(this.#writer);
    this.#reader = this.#writer = -1;
    this.#readable = false;
    return this.#under.close(fd);
  }

  #masked(): Pending[] {
    return this.#pending.filter(({ number }) =>
      sigismember(this.#mask, number)
    );
  }

  /** Whether there is a byte in the pipe says whether there is a signal. */
  #update(): void {
    if (this.#reader < 0) return;
    const readable = this.#masked().length > 0;
    if (readable === this.#readable) return;
    this.#readable = readable;
    if (readable) this.#under.write(this.#writer, byte);
    else this.#under.read(this.#reader, byte);
  }
}
