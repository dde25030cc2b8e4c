/** Constants of processes and of what signals say, by the kernel's names. @module */

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
