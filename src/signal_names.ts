/**
 * Signals by name and by number.
 *
 * @module
 */

import {
  SIGABRT,
  SIGALRM,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGHUP,
  SIGILL,
  SIGINT,
  SIGIO,
  SIGKILL,
  SIGPIPE,
  SIGPROF,
  SIGPWR,
  SIGQUIT,
  SIGRTMAX,
  SIGRTMIN,
  SIGSEGV,
  SIGSTKFLT,
  SIGSTOP,
  SIGSYS,
  SIGTERM,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGUSR1,
  SIGUSR2,
  SIGVTALRM,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
} from "../ffi/mod.ts";

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
 * A real-time signal, `"SIGRTMIN"` to `"SIGRTMIN+30"`, which is `"SIGRTMAX"`;
 * `"SIGRTMAX-1"` and so on count down from there. They queue, in order, each with
 * its value. What is told of one names it by SIGRTMIN.
 */
export type RealTimeSignalName =
  | "SIGRTMIN"
  | `SIGRTMIN+${number}`
  | "SIGRTMAX"
  | `SIGRTMAX-${number}`;

/** The name of a signal. */
export type SignalName = StandardSignalName | RealTimeSignalName;

const numbers: Readonly<Record<StandardSignalName, number>> = {
  SIGABRT,
  SIGALRM,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGFPE,
  SIGHUP,
  SIGILL,
  SIGINT,
  SIGIO,
  SIGKILL,
  SIGPIPE,
  SIGPROF,
  SIGPWR,
  SIGQUIT,
  SIGSEGV,
  SIGSTKFLT,
  SIGSTOP,
  SIGSYS,
  SIGTERM,
  SIGTRAP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGUSR1,
  SIGUSR2,
  SIGVTALRM,
  SIGWINCH,
  SIGXCPU,
  SIGXFSZ,
};

const names = new Map<number, SignalName>(
  Object.entries(numbers).map(([name, number]) => [number, name as SignalName]),
);

const REAL_TIME = /^SIGRT(?:MIN(\+[1-9]\d?)?|MAX(-[1-9]\d?)?)$/;

/**
 * The number of a signal.
 *
 * @throws {TypeError} If there is no signal of that name.
 */
export function signalNumber(name: SignalName): number {
  if (Object.hasOwn(numbers, name)) return numbers[name as StandardSignalName];
  const number = realTimeNumber(name);
  if (number !== null) return number;
  const last = SIGRTMAX - SIGRTMIN;
  throw new TypeError(
    `Cannot find the signal ${String(name)}: there are those like SIGTERM, ` +
      `SIGRTMIN to SIGRTMIN+${last}, and SIGRTMAX to SIGRTMAX-${last}`,
  );
}

function realTimeNumber(name: string): number | null {
  const match = REAL_TIME.exec(name);
  if (match === null) return null;
  const [, above = "0", below = "0"] = match;
  const first = name.startsWith("SIGRTMIN") ? SIGRTMIN : SIGRTMAX;
  const number = first + Number(above) + Number(below);
  return number < SIGRTMIN || number > SIGRTMAX ? null : number;
}

/** The name of a signal's number. */
export function signalName(number: number): SignalName {
  const name = names.get(number);
  if (name !== undefined) return name;
  return number === SIGRTMIN ? "SIGRTMIN" : `SIGRTMIN+${number - SIGRTMIN}`;
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
    case SIGKILL:
    case SIGSTOP:
      throw new TypeError(
        `Cannot receive ${name}: the kernel lets no program block it`,
      );
    // V8 recovers from some faults of WebAssembly by a handler of its own.
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSEGV:
      throw new TypeError(
        `Cannot receive ${name}: it tells of a fault of the thread that it interrupts, and the runtime needs it`,
      );
    default:
      return number;
  }
}
