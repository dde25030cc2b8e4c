/**
 * Descriptors that were closed behind an engine's back while a duplicate lives
 * on: the kernel keeps their entries, and goes on reporting them.
 */
import { F_DUPFD_CLOEXEC } from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import { closePeer, type Ends } from "./descriptor_ends.ts";
import type { Subject } from "./subject.ts";
import { peerWrites } from "./transfers.ts";

/** The ghosts of one run. */
export class Ghosts {
  readonly #calls: SystemCalls;
  readonly #ends: Ends[] = [];

  constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  /** Closes a subject's number; false where there is none for a duplicate. */
  add(subject: Subject): boolean {
    const { event, ends } = subject;
    const fd = this.#calls.fcntl(ends.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return false;
    this.#calls.close(ends.fd);
    subject.leave(() => event.detach());
    this.#ends.push({ fd, peer: ends.peer });
    return true;
  }

  /** Gives the kernel something to report. */
  write(): void {
    for (const ends of this.#ends) peerWrites(this.#calls, ends);
  }

  /** Closes all of them. */
  close(): void {
    for (const ends of this.#ends) {
      this.#calls.close(ends.fd);
      closePeer(this.#calls, ends);
    }
    this.#ends.length = 0;
  }
}
