/**
 * Sizes and offsets of the kernel's structures, in bytes, by the kernel's
 * names. x86-64 and aarch64 are both little-endian with 64-bit pointers, so
 * that all but `struct epoll_event` are the same in both.
 *
 * @module
 */

import { thisRuntime } from "./this_runtime.ts";

/** The architectures whose layouts are known. */
export type Architecture = "x86_64" | "aarch64";

/** The architecture of this process. */
export const architecture: Architecture = thisRuntime.machine === "x64"
  ? "x86_64"
  : "aarch64";

/** The layout of `struct epoll_event`. */
export interface EpollEventLayout {
  /** Bytes of one. */
  readonly size: number;
  /** `uint32_t events`, the mask. */
  readonly events: number;
  /** `epoll_data_t data`, 64 bits of the user's. */
  readonly data: number;
}

/** `struct epoll_event` by architecture: packed on x86-64 alone. */
export const epollEventLayouts: Readonly<
  Record<Architecture, EpollEventLayout>
> = {
  x86_64: { size: 12, events: 0, data: 4 },
  aarch64: { size: 16, events: 0, data: 8 },
};

/** `struct epoll_event` of this process. */
export const epoll_event: EpollEventLayout = epollEventLayouts[architecture];

/** The C library's signal set; the kernel's own is its first 8 bytes. */
export const sigset_t = { size: 128 } as const;

/** `struct timespec`. */
export const timespec = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** `struct itimerspec`: two of `struct timespec`. */
export const itimerspec = { size: 32, it_interval: 0, it_value: 16 } as const;

/** `struct timeval`. */
export const timeval = { size: 16, tv_sec: 0, tv_usec: 8 } as const;

/** `struct pollfd`. */
export const pollfd = { size: 8, fd: 0, events: 4, revents: 6 } as const;

/** `struct iovec`. */
export const iovec = { size: 16, iov_base: 0, iov_len: 8 } as const;

/** `struct signalfd_siginfo`, what a signalfd reads. */
export const signalfd_siginfo = {
  size: 128,
  ssi_signo: 0,
  ssi_errno: 4,
  ssi_code: 8,
  ssi_pid: 12,
  ssi_uid: 16,
  ssi_fd: 20,
  ssi_tid: 24,
  ssi_band: 28,
  ssi_overrun: 32,
  ssi_trapno: 36,
  ssi_status: 40,
  ssi_int: 44,
  ssi_ptr: 48,
  ssi_utime: 56,
  ssi_stime: 64,
  ssi_addr: 72,
} as const;

/** `struct sockaddr_in`: IPv4. The port is big-endian. */
export const sockaddr_in = {
  size: 16,
  sin_family: 0,
  sin_port: 2,
  sin_addr: 4,
} as const;

/** `struct sockaddr_in6`: IPv6. Port and flow information are big-endian. */
export const sockaddr_in6 = {
  size: 28,
  sin6_family: 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
} as const;

/** `struct sockaddr_un`: unix. */
export const sockaddr_un = { size: 110, sun_family: 0, sun_path: 2 } as const;

/** `struct sockaddr_storage`: room for any address. */
export const sockaddr_storage = { size: 128, ss_family: 0 } as const;

/** `struct msghdr`. */
export const msghdr = {
  size: 56,
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const;

/** `struct mmsghdr`. */
export const mmsghdr = { size: 64, msg_hdr: 0, msg_len: 56 } as const;

/** `struct cmsghdr`; its data follow, aligned to 8 bytes. */
export const cmsghdr = {
  size: 16,
  cmsg_len: 0,
  cmsg_level: 8,
  cmsg_type: 12,
} as const;

/** `struct linger`, of SO_LINGER. */
export const linger = { size: 8, l_onoff: 0, l_linger: 4 } as const;

/** `struct ucred`, of SO_PEERCRED. */
export const ucred = { size: 12, pid: 0, uid: 4, gid: 8 } as const;

/** `struct ip_mreqn`, of IP_ADD_MEMBERSHIP. */
export const ip_mreqn = {
  size: 12,
  imr_multiaddr: 0,
  imr_address: 4,
  imr_ifindex: 8,
} as const;

/** `struct ipv6_mreq`, of IPV6_JOIN_GROUP. */
export const ipv6_mreq = {
  size: 20,
  ipv6mr_multiaddr: 0,
  ipv6mr_interface: 16,
} as const;

/** `struct tcp_info`, of TCP_INFO: its start, which every kernel fills. */
export const tcp_info = {
  tcpi_state: 0,
  tcpi_ca_state: 1,
  tcpi_retransmits: 2,
  tcpi_probes: 3,
  tcpi_backoff: 4,
  tcpi_options: 5,
  tcpi_rto: 8,
  tcpi_ato: 12,
  tcpi_snd_mss: 16,
  tcpi_rcv_mss: 20,
  tcpi_unacked: 24,
  tcpi_sacked: 28,
  tcpi_lost: 32,
  tcpi_retrans: 36,
  tcpi_fackets: 40,
  tcpi_last_data_sent: 44,
  tcpi_last_ack_sent: 48,
  tcpi_last_data_recv: 52,
  tcpi_last_ack_recv: 56,
  tcpi_pmtu: 60,
  tcpi_rcv_ssthresh: 64,
  tcpi_rtt: 68,
  tcpi_rttvar: 72,
  tcpi_snd_ssthresh: 76,
  tcpi_snd_cwnd: 80,
  tcpi_advmss: 84,
  tcpi_reordering: 88,
  tcpi_rcv_rtt: 92,
  tcpi_rcv_space: 96,
  tcpi_total_retrans: 100,
} as const;

/** `struct iocb`, a request of Linux AIO. */
export const iocb = {
  size: 64,
  aio_data: 0,
  aio_key: 8,
  aio_rw_flags: 12,
  aio_lio_opcode: 16,
  aio_reqprio: 18,
  aio_fildes: 20,
  aio_buf: 24,
  aio_nbytes: 32,
  aio_offset: 40,
  aio_flags: 56,
  aio_resfd: 60,
} as const;

/** `struct io_event`, a result of Linux AIO. */
export const io_event = {
  size: 32,
  data: 0,
  obj: 8,
  res: 16,
  res2: 24,
} as const;

/** `siginfo_t`, as waitid(2) fills it. */
export const siginfo_t = {
  size: 128,
  si_signo: 0,
  si_errno: 4,
  si_code: 8,
  si_pid: 16,
  si_uid: 20,
  si_status: 24,
} as const;

/** `struct linux_dirent64`: an entry of a directory, up to a name with a NUL. */
export const dirent64 = {
  d_ino: 0,
  d_off: 8,
  d_reclen: 16,
  d_type: 18,
  d_name: 19,
} as const;
