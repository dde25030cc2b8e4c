/**
 * Constants of processes and signals, by the kernel's names. The numbers are
 * those of x86-64 and of aarch64, but for system calls.
 *
 * @module
 */

import { architecture } from "./layout.ts";

// sigaction(2): the code of a signal

/** Sent by kill(2). */
export const SI_USER = 0;
/** Sent by sigqueue(3), with a value. */
export const SI_QUEUE: number = -1;
/** A timer of timer_create(2) expired. */
export const SI_TIMER: number = -2;
/** Sent by tgkill(2) to one thread. */
export const SI_TKILL: number = -6;
/** Sent by the kernel. */
export const SI_KERNEL = 0x80;
/** SIGCHLD, waitid(2): the child ended with an exit status. */
export const CLD_EXITED = 1;
/** SIGCHLD, waitid(2): a signal ended the child. */
export const CLD_KILLED = 2;
/** SIGCHLD, waitid(2): a signal ended the child, which left a core dump. */
export const CLD_DUMPED = 3;
/** SIGCHLD, waitid(2): a traced child stopped. */
export const CLD_TRAPPED = 4;
/** SIGCHLD, waitid(2): the child stopped. */
export const CLD_STOPPED = 5;
/** SIGCHLD, waitid(2): the child goes on. */
export const CLD_CONTINUED = 6;

// waitid(2)

/** Any child. */
export const P_ALL = 0;
/** The child with a process id. */
export const P_PID = 1;
/** The child of a pidfd. Linux 5.4. */
export const P_PIDFD = 3;
/** Do not wait. */
export const WNOHANG = 1;
/** Children that have ended. */
export const WEXITED = 4;
/** Leave the child to be waited for again. */
export const WNOWAIT = 0x1000000;

// syscall(2)

/** The number of getdents64(2). */
export const SYS_getdents64: number = architecture === "x86_64" ? 217 : 61;

/** Add the set to the mask. */
export const SIG_BLOCK = 0;
/** Take the set from the mask. */
export const SIG_UNBLOCK = 1;
/** Make the set the mask. */
export const SIG_SETMASK = 2;
/** The terminal hung up. */
export const SIGHUP = 1;
/** Interrupt from the keyboard. */
export const SIGINT = 2;
/** Quit from the keyboard. */
export const SIGQUIT = 3;
/** Illegal instruction. */
export const SIGILL = 4;
/** Trace or breakpoint. */
export const SIGTRAP = 5;
/** abort(3). */
export const SIGABRT = 6;
/** Bad memory access. */
export const SIGBUS = 7;
/** Arithmetic error. */
export const SIGFPE = 8;
/** Kill; can't be blocked. */
export const SIGKILL = 9;
/** For the program's use. */
export const SIGUSR1 = 10;
/** Invalid memory reference. */
export const SIGSEGV = 11;
/** For the program's use. */
export const SIGUSR2 = 12;
/** A write that nobody reads. */
export const SIGPIPE = 13;
/** alarm(2). */
export const SIGALRM = 14;
/** Terminate. */
export const SIGTERM = 15;
/** Coprocessor stack fault; unused. */
export const SIGSTKFLT = 16;
/** A child stopped or ended. */
export const SIGCHLD = 17;
/** Go on after a stop. */
export const SIGCONT = 18;
/** Stop; can't be blocked. */
export const SIGSTOP = 19;
/** Stop from the keyboard. */
export const SIGTSTP = 20;
/** Background read from the terminal. */
export const SIGTTIN = 21;
/** Background write to the terminal. */
export const SIGTTOU = 22;
/** Urgent data on a socket. */
export const SIGURG = 23;
/** CPU limit passed. */
export const SIGXCPU = 24;
/** File size limit passed. */
export const SIGXFSZ = 25;
/** Virtual timer. */
export const SIGVTALRM = 26;
/** Profiling timer. */
export const SIGPROF = 27;
/** The terminal's window changed. */
export const SIGWINCH = 28;
/** Input or output is possible. */
export const SIGIO = 29;
/** Power failure. */
export const SIGPWR = 30;
/** Bad system call. */
export const SIGSYS = 31;

/** The first real-time signal for programs; the C library keeps 32 and 33. */
export const SIGRTMIN = 34;
/** The last real-time signal. */
export const SIGRTMAX = 64;
