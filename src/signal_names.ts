/**
 * Signals by name and by number.
 *
 * @module
 */

import * as c from "../ffi/mod.ts";

/** A standard signal. Several of one that wait to be received count as one. */
export type StandardSignalName =
  | "SIGABRT"
  | "SIGALRM"
  | "SIGBUS"
  | "SIGCHLD"
  | "SIGCONT"
  | "SIGFPE"
  | "SIGHUP"
  | "SIGILL"
  | "SIGINT"
  | "SIGIO"
  | "SIGKILL"
  | "SIGPIPE"
  | "SIGPROF"
  | "SIGPWR"
  | "SIGQUIT"
  | "SIGSEGV"
  | "SIGSTKFLT"
  | "SIGSTOP"
  | "SIGSYS"
  | "SIGTERM"
  | "SIGTRAP"
  | "SIGTSTP"
  | "SIGTTIN"
  | "SIGTTOU"
  | "SIGURG"
  | "SIGUSR1"
  | "SIGUSR2"
  | "SIGVTALRM"
  | "SIGWINCH"
  | "SIGXCPU"
  | "SIGXFSZ";

/**
 * A real-time signal, `"SIGRTMIN"` to `"SIGRTMIN+30"`. They queue, in order,
 * each with its value.
 */
export type RealTimeSignalName = "SIGRTMIN" | `SIGRTMIN+${number}`;

/** The name of a signal. */
export type SignalName = StandardSignalName | RealTimeSignalName;

const numbers: Readonly<Record<StandardSignalName, number>> = {
  SIGABRT: c.SIGABRT,
  SIGALRM: c.SIGALRM,
  SIGBUS: c.SIGBUS,
  SIGCHLD: c.SIGCHLD,
  SIGCONT: c.SIGCONT,
  SIGFPE: c.SIGFPE,
  SIGHUP: c.SIGHUP,
  SIGILL: c.SIGILL,
  SIGINT: c.SIGINT,
  SIGIO: c.SIGIO,
  SIGKILL: c.SIGKILL,
  SIGPIPE: c.SIGPIPE,
  SIGPROF: c.SIGPROF,
  SIGPWR: c.SIGPWR,
  SIGQUIT: c.SIGQUIT,
  SIGSEGV: c.SIGSEGV,
  SIGSTKFLT: c.SIGSTKFLT,
  SIGSTOP: c.SIGSTOP,
  SIGSYS: c.SIGSYS,
  SIGTERM: c.SIGTERM,
  SIGTRAP: c.SIGTRAP,
  SIGTSTP: c.SIGTSTP,
  SIGTTIN: c.SIGTTIN,
  SIGTTOU: c.SIGTTOU,
  SIGURG: c.SIGURG,
  SIGUSR1: c.SIGUSR1,
  SIGUSR2: c.SIGUSR2,
  SIGVTALRM: c.SIGVTALRM,
  SIGWINCH: c.SIGWINCH,
  SIGXCPU: c.SIGXCPU,
  SIGXFSZ: c.SIGXFSZ,
};

const names = new Map<number, SignalName>(
  Object.entries(numbers).map(([name, number]) => [number, name as SignalName]),
);

const REAL_TIME = /^SIGRTMIN(?:\+([1-9]\d?))?$/;

/**
 * The number of a signal.
 *
 * @throws {TypeError} If there is no signal of that name.
 */
export function signalNumber(name: SignalName): number {
  if (Object.hasOwn(numbers, name)) return numbers[name as StandardSignalName];
  const realTime = REAL_TIME.exec(name);
  const number = c.SIGRTMIN + Number(realTime?.[1] ?? 0);
  if (realTime === null || number > c.SIGRTMAX) {
    throw new TypeError(
      `Cannot find the signal ${
        String(name)
      }: there are those like SIGTERM, and SIGRTMIN to SIGRTMIN+${
        c.SIGRTMAX - c.SIGRTMIN
      }`,
    );
  }
  return number;
}

/** The name of a signal's number. */
export function signalName(number: number): SignalName {
  const name = names.get(number);
  if (name !== undefined) return name;
  return number === c.SIGRTMIN ? "SIGRTMIN" : `SIGRTMIN+${number - c.SIGRTMIN}`;
}

/**
 * The number of a signal that can be blocked and received.
 *
 * @throws {TypeError} If there is no signal of that name, or the kernel keeps it
 * to itself, or a blocked one would end the program at its next fault.
 */
export function blockableNumber(name: SignalName): number {
  const number = signalNumber(name);
  switch (number) {
    case c.SIGKILL:
    case c.SIGSTOP:
      throw new TypeError(
        `Cannot receive ${name}: the kernel lets no program block it`,
      );
    // V8 recovers from some faults of WebAssembly by a handler of its own.
    case c.SIGBUS:
    case c.SIGFPE:
    case c.SIGILL:
    case c.SIGSEGV:
      throw new TypeError(
        `Cannot receive ${name}: it tells of a fault of the thread that it interrupts, and the runtime needs it`,
      );
    default:
      return number;
  }
}
