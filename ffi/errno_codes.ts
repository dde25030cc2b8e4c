/**
 * Error numbers, by the kernel's names. They are the generic ones, which x86-64
 * and aarch64 share.
 *
 * @module
 */

/** Operation not permitted. */
export const EPERM = 1;
/** No such file or entry. */
export const ENOENT = 2;
/** No such process. */
export const ESRCH = 3;
/** Interrupted by a signal. */
export const EINTR = 4;
/** Input/output error. */
export const EIO = 5;
/** No such device or address. */
export const ENXIO = 6;
/** Argument list too long. */
export const E2BIG = 7;
/** Not an executable. */
export const ENOEXEC = 8;
/** Not an open descriptor. */
export const EBADF = 9;
/** No child process. */
export const ECHILD = 10;
/** Would block: try again. */
export const EAGAIN = 11;
/** Out of memory. */
export const ENOMEM = 12;
/** Permission denied. */
export const EACCES = 13;
/** Bad address. */
export const EFAULT = 14;
/** Not a block device. */
export const ENOTBLK = 15;
/** Device or resource busy. */
export const EBUSY = 16;
/** Exists already. */
export const EEXIST = 17;
/** Link across file systems. */
export const EXDEV = 18;
/** No such device. */
export const ENODEV = 19;
/** Not a directory. */
export const ENOTDIR = 20;
/** Is a directory. */
export const EISDIR = 21;
/** Invalid argument. */
export const EINVAL = 22;
/** Too many open files in the system. */
export const ENFILE = 23;
/** Too many open files in the process. */
export const EMFILE = 24;
/** Request not meant for this device. */
export const ENOTTY = 25;
/** Program file is running. */
export const ETXTBSY = 26;
/** File too large. */
export const EFBIG = 27;
/** No space left. */
export const ENOSPC = 28;
/** Not seekable. */
export const ESPIPE = 29;
/** Read-only file system. */
export const EROFS = 30;
/** Too many links. */
export const EMLINK = 31;
/** Nobody reads the other end. */
export const EPIPE = 32;
/** Argument outside the function's domain. */
export const EDOM = 33;
/** Result out of range. */
export const ERANGE = 34;
/** Would deadlock. */
export const EDEADLK = 35;
/** Name too long. */
export const ENAMETOOLONG = 36;
/** No locks available. */
export const ENOLCK = 37;
/** Not implemented by the kernel or the C library. */
export const ENOSYS = 38;
/** Directory not empty. */
export const ENOTEMPTY = 39;
/** Too many symbolic links, or a cycle of epoll descriptors. */
export const ELOOP = 40;
/** No message of that type. */
export const ENOMSG = 42;
/** Identifier removed. */
export const EIDRM = 43;
/** Channel number out of range. */
export const ECHRNG = 44;
/** Level 2 not synchronised. */
export const EL2NSYNC = 45;
/** Level 3 halted. */
export const EL3HLT = 46;
/** Level 3 reset. */
export const EL3RST = 47;
/** Link number out of range. */
export const ELNRNG = 48;
/** Protocol driver not attached. */
export const EUNATCH = 49;
/** No CSI structure. */
export const ENOCSI = 50;
/** Level 2 halted. */
export const EL2HLT = 51;
/** Invalid exchange. */
export const EBADE = 52;
/** Invalid request descriptor. */
export const EBADR = 53;
/** Exchange full. */
export const EXFULL = 54;
/** No anode. */
export const ENOANO = 55;
/** Invalid request code. */
export const EBADRQC = 56;
/** Invalid slot. */
export const EBADSLT = 57;
/** Bad font file. */
export const EBFONT = 59;
/** Not a stream. */
export const ENOSTR = 60;
/** No data. */
export const ENODATA = 61;
/** Timer expired. */
export const ETIME = 62;
/** Out of streams. */
export const ENOSR = 63;
/** Not on the network. */
export const ENONET = 64;
/** Package not installed. */
export const ENOPKG = 65;
/** Object is remote. */
export const EREMOTE = 66;
/** Link severed. */
export const ENOLINK = 67;
/** Advertise error. */
export const EADV = 68;
/** Srmount error. */
export const ESRMNT = 69;
/** Error on send. */
export const ECOMM = 70;
/** Protocol error. */
export const EPROTO = 71;
/** Multihop attempted. */
export const EMULTIHOP = 72;
/** RFS error. */
export const EDOTDOT = 73;
/** Bad message. */
export const EBADMSG = 74;
/** Value too large for its type. */
export const EOVERFLOW = 75;
/** Name not unique on the network. */
export const ENOTUNIQ = 76;
/** Descriptor in a bad state. */
export const EBADFD = 77;
/** Remote address changed. */
export const EREMCHG = 78;
/** Shared library not accessible. */
export const ELIBACC = 79;
/** Shared library corrupted. */
export const ELIBBAD = 80;
/** Library section corrupted. */
export const ELIBSCN = 81;
/** Too many shared libraries. */
export const ELIBMAX = 82;
/** Shared library can't be executed. */
export const ELIBEXEC = 83;
/** Invalid byte sequence. */
export const EILSEQ = 84;
/** System call to be restarted. */
export const ERESTART = 85;
/** Streams pipe error. */
export const ESTRPIPE = 86;
/** Too many users. */
export const EUSERS = 87;
/** Not a socket. */
export const ENOTSOCK = 88;
/** Destination address missing. */
export const EDESTADDRREQ = 89;
/** Message too long. */
export const EMSGSIZE = 90;
/** Wrong protocol for the socket. */
export const EPROTOTYPE = 91;
/** No such socket option. */
export const ENOPROTOOPT = 92;
/** Protocol not supported. */
export const EPROTONOSUPPORT = 93;
/** Socket type not supported. */
export const ESOCKTNOSUPPORT = 94;
/** Operation not supported. */
export const EOPNOTSUPP = 95;
/** Protocol family not supported. */
export const EPFNOSUPPORT = 96;
/** Address family not supported. */
export const EAFNOSUPPORT = 97;
/** Address in use. */
export const EADDRINUSE = 98;
/** Address not available. */
export const EADDRNOTAVAIL = 99;
/** Network down. */
export const ENETDOWN = 100;
/** Network unreachable. */
export const ENETUNREACH = 101;
/** Connection dropped by the network. */
export const ENETRESET = 102;
/** Connection aborted. */
export const ECONNABORTED = 103;
/** Connection reset by the peer. */
export const ECONNRESET = 104;
/** No buffer space. */
export const ENOBUFS = 105;
/** Connected already. */
export const EISCONN = 106;
/** Not connected. */
export const ENOTCONN = 107;
/** Endpoint shut down. */
export const ESHUTDOWN = 108;
/** Too many references. */
export const ETOOMANYREFS = 109;
/** Timed out. */
export const ETIMEDOUT = 110;
/** Connection refused. */
export const ECONNREFUSED = 111;
/** Host down. */
export const EHOSTDOWN = 112;
/** Host unreachable. */
export const EHOSTUNREACH = 113;
/** Under way already. */
export const EALREADY = 114;
/** Under way. */
export const EINPROGRESS = 115;
/** Stale file handle. */
export const ESTALE = 116;
/** Structure needs cleaning. */
export const EUCLEAN = 117;
/** Not a XENIX named file. */
export const ENOTNAM = 118;
/** No XENIX semaphores. */
export const ENAVAIL = 119;
/** Is a named file. */
export const EISNAM = 120;
/** Remote input/output error. */
export const EREMOTEIO = 121;
/** Disk quota exceeded. */
export const EDQUOT = 122;
/** No medium. */
export const ENOMEDIUM = 123;
/** Wrong medium type. */
export const EMEDIUMTYPE = 124;
/** Cancelled. */
export const ECANCELED = 125;
/** Key not available. */
export const ENOKEY = 126;
/** Key expired. */
export const EKEYEXPIRED = 127;
/** Key revoked. */
export const EKEYREVOKED = 128;
/** Key rejected. */
export const EKEYREJECTED = 129;
/** Owner died. */
export const EOWNERDEAD = 130;
/** State not recoverable. */
export const ENOTRECOVERABLE = 131;
/** Switched off by the radio switch. */
export const ERFKILL = 132;
/** Memory page has a hardware error. */
export const EHWPOISON = 133;

// Why a host's name could not be looked up. getaddrinfo(3) has numbers of its
// own for that, which differ between C libraries; these are libuv's, beyond
// those of the kernel.

/** Nobody knows now: the name server does not answer, say. Try again later. */
export const EAI_AGAIN = 3001;
/** The lookup failed for good. */
export const EAI_FAIL = 3004;
/** There is no memory for the answer. */
export const EAI_MEMORY = 3006;
/** There is no such host, or it has no address. */
export const ENOTFOUND = 3008;
