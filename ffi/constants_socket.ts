/**
 * Constants of sockets, by the kernel's names: families, types, options and
 * flags. The numbers are those of x86-64 and of aarch64.
 *
 * @module
 */

// socket(2)

/** No family. */
export const AF_UNSPEC = 0;
/** Sockets of this machine. */
export const AF_UNIX = 1;
/** IPv4. */
export const AF_INET = 2;
/** IPv6. */
export const AF_INET6 = 10;
/** A byte stream. */
export const SOCK_STREAM = 1;
/** Datagrams. */
export const SOCK_DGRAM = 2;
/** Raw packets. */
export const SOCK_RAW = 3;
/** A stream of whole messages. */
export const SOCK_SEQPACKET = 5;
/** Close the descriptor on execve. */
export const SOCK_CLOEXEC = 0x80000;
/** Do not block. */
export const SOCK_NONBLOCK = 0x800;
/** The usual limit of a listener's backlog. */
export const SOMAXCONN = 4096;
/** Options of IPv4. */
export const IPPROTO_IP = 0;
/** TCP and its options. */
export const IPPROTO_TCP = 6;
/** UDP and its options. */
export const IPPROTO_UDP = 17;
/** Options of IPv6. */
export const IPPROTO_IPV6 = 41;
/** Shut the reading side. */
export const SHUT_RD = 0;
/** Shut the writing side. */
export const SHUT_WR = 1;
/** Shut both sides. */
export const SHUT_RDWR = 2;

// socket(7)

/** The level of the options of all sockets. */
export const SOL_SOCKET = 1;
/** Record debugging information. */
export const SO_DEBUG = 1;
/** Bind to an address in TIME_WAIT. */
export const SO_REUSEADDR = 2;
/** The socket's type. */
export const SO_TYPE = 3;
/** The pending error, cleared by asking. */
export const SO_ERROR = 4;
/** Send to directly connected hosts only. */
export const SO_DONTROUTE = 5;
/** Allow datagrams to broadcast addresses. */
export const SO_BROADCAST = 6;
/** Bytes of the send buffer; the kernel doubles it. */
export const SO_SNDBUF = 7;
/** Bytes of the receive buffer; the kernel doubles it. */
export const SO_RCVBUF = 8;
/** SO_SNDBUF beyond the system's limit. */
export const SO_SNDBUFFORCE = 32;
/** SO_RCVBUF beyond the system's limit. */
export const SO_RCVBUFFORCE = 33;
/** Probe idle connections. */
export const SO_KEEPALIVE = 9;
/** Leave urgent data in the stream. */
export const SO_OOBINLINE = 10;
/** The priority of packets sent. */
export const SO_PRIORITY = 12;
/** What close(2) does with unsent data: `struct linger`. */
export const SO_LINGER = 13;
/** Several sockets on one port. Linux 3.9. */
export const SO_REUSEPORT = 15;
/** Receive the peer's credentials with each message. */
export const SO_PASSCRED = 16;
/** The credentials of a unix socket's peer: `struct ucred`. */
export const SO_PEERCRED = 17;
/** Bytes that make the socket readable. */
export const SO_RCVLOWAT = 18;
/** Bytes of room that make it writable; fixed at 1. */
export const SO_SNDLOWAT = 19;
/** Bind to a network interface, by name. */
export const SO_BINDTODEVICE = 25;
/** Receive the time of each datagram. */
export const SO_TIMESTAMP = 29;
/** Whether the socket listens. */
export const SO_ACCEPTCONN = 30;
/** Mark packets sent. */
export const SO_MARK = 36;
/** The socket's protocol. */
export const SO_PROTOCOL = 38;
/** The socket's family. */
export const SO_DOMAIN = 39;
/** Receive the count of datagrams dropped. */
export const SO_RXQ_OVFL = 40;
/** Microseconds to poll the device before blocking. */
export const SO_BUSY_POLL = 46;
/** The CPU that the socket's packets arrive at. */
export const SO_INCOMING_CPU = 49;
/** A program that chooses the socket of a port. Linux 4.5. */
export const SO_ATTACH_REUSEPORT_CBPF = 51;
/** Allow MSG_ZEROCOPY. Linux 4.14. */
export const SO_ZEROCOPY = 60;
/** Control message that carries descriptors. */
export const SCM_RIGHTS = 1;
/** Control message that carries credentials. */
export const SCM_CREDENTIALS = 2;

// tcp(7), udp(7), ip(7), ipv6(7)

/** Send small segments at once. */
export const TCP_NODELAY = 1;
/** The largest segment, in bytes. */
export const TCP_MAXSEG = 2;
/** Hold partial segments back. */
export const TCP_CORK = 3;
/** Seconds idle before the first probe. */
export const TCP_KEEPIDLE = 4;
/** Seconds between probes. */
export const TCP_KEEPINTVL = 5;
/** Probes unanswered before the connection is dropped. */
export const TCP_KEEPCNT = 6;
/** SYNs sent before connecting is given up. */
export const TCP_SYNCNT = 7;
/** Seconds that an orphan stays in FIN_WAIT2. */
export const TCP_LINGER2 = 8;
/** Seconds to wait for data before accepting. */
export const TCP_DEFER_ACCEPT = 9;
/** State and counters: `struct tcp_info`. */
export const TCP_INFO = 11;
/** Acknowledge at once. */
export const TCP_QUICKACK = 12;
/** The congestion algorithm, by name. */
export const TCP_CONGESTION = 13;
/** Milliseconds that sent data may stay unacknowledged. */
export const TCP_USER_TIMEOUT = 18;
/** Data in the SYN: length of the listener's queue. */
export const TCP_FASTOPEN = 23;
/** Unsent bytes below which the socket is writable. */
export const TCP_NOTSENT_LOWAT = 25;
/** Bytes of each segment of a large send. Linux 4.18. */
export const UDP_SEGMENT = 103;
/** Receive several segments at once. Linux 5.0. */
export const UDP_GRO = 104;
/** Type of service. */
export const IP_TOS = 1;
/** Time to live. */
export const IP_TTL = 2;
/** Receive the destination of each datagram. */
export const IP_PKTINFO = 8;
/** The interface of multicast sent. */
export const IP_MULTICAST_IF = 32;
/** Time to live of multicast sent. */
export const IP_MULTICAST_TTL = 33;
/** Receive one's own multicast. */
export const IP_MULTICAST_LOOP = 34;
/** Join a multicast group. */
export const IP_ADD_MEMBERSHIP = 35;
/** Leave a multicast group. */
export const IP_DROP_MEMBERSHIP = 36;
/** Leave the choice of a port to connect(2). Linux 4.2. */
export const IP_BIND_ADDRESS_NO_PORT = 24;
/** Hop limit. */
export const IPV6_UNICAST_HOPS = 16;
/** The interface of multicast sent. */
export const IPV6_MULTICAST_IF = 17;
/** Hop limit of multicast sent. */
export const IPV6_MULTICAST_HOPS = 18;
/** Receive one's own multicast. */
export const IPV6_MULTICAST_LOOP = 19;
/** Join a multicast group. */
export const IPV6_JOIN_GROUP = 20;
/** Leave a multicast group. */
export const IPV6_LEAVE_GROUP = 21;
/** Refuse IPv4 on an IPv6 socket. */
export const IPV6_V6ONLY = 26;
/** Receive the destination of each datagram. */
export const IPV6_RECVPKTINFO = 49;
/** Traffic class. */
export const IPV6_TCLASS = 67;

// send(2), recv(2)

/** Urgent data. */
export const MSG_OOB = 1;
/** Leave the data in the queue. */
export const MSG_PEEK = 2;
/** Control data was cut. */
export const MSG_CTRUNC = 8;
/** The datagram was cut; asked for: its whole length. */
export const MSG_TRUNC = 0x20;
/** Do not block, this once. */
export const MSG_DONTWAIT = 0x40;
/** The end of a record. */
export const MSG_EOR = 0x80;
/** Wait for the whole count. */
export const MSG_WAITALL = 0x100;
/** Read the error queue. */
export const MSG_ERRQUEUE = 0x2000;
/** EPIPE without SIGPIPE. */
export const MSG_NOSIGNAL = 0x4000;
/** More follows: hold a partial segment back. */
export const MSG_MORE = 0x8000;
/** Received descriptors close on execve. */
export const MSG_CMSG_CLOEXEC = 0x40000000;
/** Send from the caller's memory. Linux 4.14. */
export const MSG_ZEROCOPY = 0x4000000;
