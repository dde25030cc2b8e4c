/**
 * Constants of events, timers and files, by the kernel's names. Those of
 * sockets are in `constants_socket.ts`, of signals in `constants_signal.ts`,
 * error numbers in `errno_codes.ts`.
 *
 * Masks are signed 32-bit integers, as JavaScript's bitwise operators and an
 * Int32Array make them: EPOLLET is negative.
 *
 * @module
 */

import { type Architecture, architecture } from "./layout.ts";

/** The constants that differ by architecture. */
export interface ArchitectureConstants {
  /** See {@linkcode O_DIRECT}. */
  readonly O_DIRECT: number;
  /** See {@linkcode O_DIRECTORY}. */
  readonly O_DIRECTORY: number;
  /** See {@linkcode O_NOFOLLOW}. */
  readonly O_NOFOLLOW: number;
  /** See {@linkcode SYS_gettid}. */
  readonly SYS_gettid: number;
  /** See {@linkcode SYS_tgkill}. */
  readonly SYS_tgkill: number;
}

/** The constants that differ by architecture, for each. */
export const architectureConstants: Readonly<
  Record<Architecture, ArchitectureConstants>
> = {
  x86_64: {
    O_DIRECT: 0x4000,
    O_DIRECTORY: 0x10000,
    O_NOFOLLOW: 0x20000,
    SYS_gettid: 186,
    SYS_tgkill: 234,
  },
  aarch64: {
    O_DIRECT: 0x10000,
    O_DIRECTORY: 0x4000,
    O_NOFOLLOW: 0x8000,
    SYS_gettid: 178,
    SYS_tgkill: 131,
  },
};

const own = architectureConstants[architecture];

// epoll(7)

/** Close the descriptor on execve. */
export const EPOLL_CLOEXEC = 0x80000;
/** Add an entry. */
export const EPOLL_CTL_ADD = 1;
/** Remove an entry. */
export const EPOLL_CTL_DEL = 2;
/** Change an entry. */
export const EPOLL_CTL_MOD = 3;
/** Readable: data, a connection, or end of file. */
export const EPOLLIN = 1;
/** An exceptional condition, such as TCP's urgent data. */
export const EPOLLPRI = 2;
/** Writable. */
export const EPOLLOUT = 4;
/** An error; always reported, asked for or not. */
export const EPOLLERR = 8;
/** Hang-up of both directions; always reported. */
export const EPOLLHUP = 0x10;
/** Normal data is readable. */
export const EPOLLRDNORM = 0x40;
/** Priority data is readable. */
export const EPOLLRDBAND = 0x80;
/** Normal data can be written. */
export const EPOLLWRNORM = 0x100;
/** Priority data can be written. */
export const EPOLLWRBAND = 0x200;
/** The peer closed its writing side. Linux 2.6.17. */
export const EPOLLRDHUP = 0x2000;
/** Wake one waiter of those that ask for it. Linux 4.5. */
export const EPOLLEXCLUSIVE = 0x10000000;
/** Keep the system awake while the event is handled. Linux 3.5. */
export const EPOLLWAKEUP = 0x20000000;
/** Report once, then mute the entry until it is modified. */
export const EPOLLONESHOT = 0x40000000;
/** Report changes, not states. Bit 31, thus the negative int32 -0x80000000. */
export const EPOLLET: number = 1 << 31;

// poll(2)

/** Readable. */
export const POLLIN = 1;
/** An exceptional condition. */
export const POLLPRI = 2;
/** Writable. */
export const POLLOUT = 4;
/** An error; always reported. */
export const POLLERR = 8;
/** Hang-up; always reported. */
export const POLLHUP = 0x10;
/** Not an open descriptor; always reported. */
export const POLLNVAL = 0x20;
/** The peer closed its writing side. */
export const POLLRDHUP = 0x2000;

// eventfd(2)

/** Close the descriptor on execve. */
export const EFD_CLOEXEC = 0x80000;
/** Do not block. */
export const EFD_NONBLOCK = 0x800;
/** Each read takes 1 from the counter. */
export const EFD_SEMAPHORE = 1;

// signalfd(2)

/** Close the descriptor on execve. */
export const SFD_CLOEXEC = 0x80000;
/** Do not block. */
export const SFD_NONBLOCK = 0x800;

// timerfd_create(2)

/** Close the descriptor on execve. */
export const TFD_CLOEXEC = 0x80000;
/** Do not block. */
export const TFD_NONBLOCK = 0x800;
/** The value is a time, not a delay. */
export const TFD_TIMER_ABSTIME = 1;
/** Reads give ECANCELED once the clock is set. Linux 3.0. */
export const TFD_TIMER_CANCEL_ON_SET = 2;
/** The wall clock. */
export const CLOCK_REALTIME = 0;
/** A clock that nobody sets; stops in suspension. */
export const CLOCK_MONOTONIC = 1;
/** As CLOCK_MONOTONIC, going on in suspension. */
export const CLOCK_BOOTTIME = 7;
/** CLOCK_REALTIME that wakes a suspended system. */
export const CLOCK_REALTIME_ALARM = 8;
/** CLOCK_BOOTTIME that wakes a suspended system. */
export const CLOCK_BOOTTIME_ALARM = 9;

// open(2)

/** Open to read. */
export const O_RDONLY = 0;
/** Open to write. */
export const O_WRONLY = 1;
/** Open to read and write. */
export const O_RDWR = 2;
/** Create the file if there is none. */
export const O_CREAT = 0x40;
/** With O_CREAT: fail if there is one. */
export const O_EXCL = 0x80;
/** Do not take a terminal as controlling. */
export const O_NOCTTY = 0x100;
/** Cut the file to no bytes. */
export const O_TRUNC = 0x200;
/** Write at the end. */
export const O_APPEND = 0x400;
/** Do not block. */
export const O_NONBLOCK = 0x800;
/** Writes wait for the data to be on the device. */
export const O_DSYNC = 0x1000;
/** Writes wait for data and metadata. */
export const O_SYNC = 0x101000;
/** Close the descriptor on execve. */
export const O_CLOEXEC = 0x80000;
/** Open the place, not the file. */
export const O_PATH = 0x200000;

// open(2), by architecture

/** Input and output past the page cache; buffers must be aligned. */
export const O_DIRECT: number = own.O_DIRECT;
/** Fail if it is not a directory. */
export const O_DIRECTORY: number = own.O_DIRECTORY;
/** Fail if it is a symbolic link. */
export const O_NOFOLLOW: number = own.O_NOFOLLOW;
/** An unnamed file in the directory. Linux 3.11. */
export const O_TMPFILE: number = 0x400000 | O_DIRECTORY;

// fcntl(2)

/** Duplicate to the lowest number from the argument on. */
export const F_DUPFD = 0;
/** Likewise, closing on execve. */
export const F_DUPFD_CLOEXEC = 1030;
/** The descriptor's flags. */
export const F_GETFD = 1;
/** Set the descriptor's flags. */
export const F_SETFD = 2;
/** The file's status flags. */
export const F_GETFL = 3;
/** Set the file's status flags. */
export const F_SETFL = 4;
/** Bytes of a pipe's buffer. */
export const F_GETPIPE_SZ = 1032;
/** Set the bytes of a pipe's buffer. */
export const F_SETPIPE_SZ = 1031;
/** Seal a memfd. */
export const F_ADD_SEALS = 1033;
/** The seals of a memfd. */
export const F_GET_SEALS = 1034;
/** The descriptor's flag: close on execve. */
export const FD_CLOEXEC = 1;

// ioctl(2)

/** Bytes that can be read. */
export const FIONREAD = 0x541b;
/** Switch blocking off or on. */
export const FIONBIO = 0x5421;
/** Bytes sent and not acknowledged. */
export const SIOCOUTQ = 0x5411;
/** Size of a terminal's window. */
export const TIOCGWINSZ = 0x5413;

// syscall(2), for calls that not every C library has

/** The number of gettid(2). */
export const SYS_gettid: number = own.SYS_gettid;
/** The number of tgkill(2). */
export const SYS_tgkill: number = own.SYS_tgkill;
/** The number of pidfd_send_signal(2). */
export const SYS_pidfd_send_signal = 424;
/** The number of pidfd_open(2). */
export const SYS_pidfd_open = 434;
/** The number of epoll_pwait2(2). */
export const SYS_epoll_pwait2 = 441;
