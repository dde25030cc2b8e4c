/**
 * What the kernel tells of a signal.
 *
 * @module
 */

import { signalfd_siginfo } from "../ffi/mod.ts";
import { type SignalName, signalName } from "./signal_names.ts";

/**
 * A signal that was received, with the fields of `struct signalfd_siginfo`. A
 * field is 0 where it means nothing for the signal's `code`.
 */
export interface SignalInfo {
  /** The signal's name, such as `"SIGUSR1"`. */
  readonly name: SignalName;
  /** Its number. */
  readonly number: number;
  /**
   * How it came about: `SI_USER` (0, kill), `SI_QUEUE` (−1, sigqueue),
   * `SI_TKILL` (−6), `SI_KERNEL` (128) or one of the signal's own, such as
   * `CLD_EXITED`.
   */
  readonly code: number;
  /** The process that sent it, or the child concerned. */
  readonly pid: number;
  /** The user of that process. */
  readonly uid: number;
  /** SIGCHLD: the exit status of the child, or the number of the signal that ended it. */
  readonly status: number;
  /** The value that sigqueue sent, as a signed 32-bit integer. */
  readonly value: number;
  /** The value that sigqueue sent, as a pointer of 64 bits. */
  readonly pointer: bigint;
  /** An error number; mostly unused. */
  readonly errno: number;
  /** SIGIO: the descriptor. */
  readonly fd: number;
  /** SIGIO: the events of the descriptor, as for poll. */
  readonly band: number;
  /** Timers of timer_create: the kernel's number of the timer. */
  readonly timerId: number;
  /** Timers of timer_create: expirations that this signal stands for beside its own. */
  readonly overrun: number;
  /** SIGCHLD: the child's processor time in user mode, in clock ticks. */
  readonly userTicks: number;
  /** SIGCHLD: the child's processor time in the kernel, in clock ticks. */
  readonly systemTicks: number;
}

/** The record that begins at byte `at`. */
export function readSignalInfo(record: DataView, at: number): SignalInfo {
  const layout = signalfd_siginfo;
  const word = (offset: number) => record.getInt32(at + offset, true);
  const wide = (offset: number) => record.getBigUint64(at + offset, true);
  const number = word(layout.ssi_signo);
  return {
    name: signalName(number),
    number,
    code: word(layout.ssi_code),
    pid: word(layout.ssi_pid),
    uid: word(layout.ssi_uid) >>> 0,
    status: word(layout.ssi_status),
    value: word(layout.ssi_int),
    pointer: wide(layout.ssi_ptr),
    errno: word(layout.ssi_errno),
    fd: word(layout.ssi_fd),
    band: word(layout.ssi_band) >>> 0,
    timerId: word(layout.ssi_tid),
    overrun: word(layout.ssi_overrun) >>> 0,
    userTicks: Number(wide(layout.ssi_utime)),
    systemTicks: Number(wide(layout.ssi_stime)),
  };
}
