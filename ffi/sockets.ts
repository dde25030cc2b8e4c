/** Sockets. @module */

import { int32, requireRoom, transferSize } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { moreSockets, sockets } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

/** socket(2). Returns the descriptor, or the negative errno. */
export function socket(domain: number, type: number, protocol = 0): number {
  const fd = sockets.c.socket(int32(domain), int32(type), int32(protocol));
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/**
 * socketpair(2): puts two connected sockets into `fds`. Returns 0, or the
 * negative errno.
 */
export function socketpair(
  domain: number,
  type: number,
  protocol: number,
  fds: Int32Array<ArrayBufferLike>,
): number {
  requireRoom(fds, 8, "a pair of descriptors");
  const result = moreSockets.c.socketpair(
    int32(domain),
    int32(type),
    int32(protocol),
    fds,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * bind(2). `address` is a whole `struct sockaddr_*` of exactly its length, as
 * `encodeAddress` makes it. Returns 0, or the negative errno. It takes Deno's
 * permission for FFI alone.
 */
export function bind(fd: number, address: Bytes): number {
  const result = sockets.c.bind(int32(fd), address, address.byteLength);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** listen(2). Returns 0, or the negative errno. */
export function listen(fd: number, backlog: number): number {
  const result = sockets.c.listen(int32(fd), int32(backlog));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

// socklen_t, that of the memory going in, that of what was asked for coming out.
const length = new Uint32Array(1);

/**
 * accept4(2), Linux 2.6.28. `flags` are SOCK_NONBLOCK and SOCK_CLOEXEC. Fills
 * `address`, where it is given, with the peer's, also of a peer that has reset the
 * connection already, of which getpeername(2) knows none. How long it is says its
 * family, but for a unix socket's. Returns the descriptor, or the negative errno.
 */
export function accept4(
  fd: number,
  flags = 0,
  address: Bytes | null = null,
): number {
  if (address !== null) length[0] = address.byteLength;
  const accepted = sockets.c.accept4(
    int32(fd),
    address,
    address === null ? null : length,
    int32(flags),
  );
  return accepted < 0 ? -(errnoView ?? errnoCopy())[0] : accepted;
}

/** connect(2); `address` as for bind. Returns 0, or the negative errno. */
export function connect(fd: number, address: Bytes): number {
  const result = moreSockets.c.connect(int32(fd), address, address.byteLength);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * getsockname(2): fills `address` and returns the address's own length, or the
 * negative errno. An address that does not fit is cut.
 */
export function getsockname(fd: number, address: Bytes): number {
  length[0] = address.byteLength;
  const result = sockets.c.getsockname(int32(fd), address, length);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : length[0];
}

/** getpeername(2): as getsockname, for the other side. */
export function getpeername(fd: number, address: Bytes): number {
  length[0] = address.byteLength;
  const result = moreSockets.c.getpeername(int32(fd), address, length);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : length[0];
}

/** getsockopt(2): fills `value` and returns its length, or the negative errno. */
export function getsockopt(
  fd: number,
  level: number,
  name: number,
  value: Bytes,
): number {
  length[0] = value.byteLength;
  const result = moreSockets.c.getsockopt(
    int32(fd),
    int32(level),
    int32(name),
    value,
    length,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : length[0];
}

/** setsockopt(2). Returns 0, or the negative errno. */
export function setsockopt(
  fd: number,
  level: number,
  name: number,
  value: Bytes,
): number {
  const result = sockets.c.setsockopt(
    int32(fd),
    int32(level),
    int32(name),
    value,
    value.byteLength,
  );
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/**
 * recv(2): fills `buffer` from the start. Returns the count of bytes, 0 at end
 * of file, or the negative errno.
 */
export function recv(fd: number, buffer: Bytes, flags = 0): number {
  const count = sockets.c.recv(
    int32(fd),
    buffer,
    transferSize(buffer),
    int32(flags),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/**
 * send(2): sends `buffer`, or the first part of it. With MSG_NOSIGNAL a peer
 * that is gone gives EPIPE and no signal. Returns the count of bytes, or the
 * negative errno.
 */
export function send(fd: number, buffer: Bytes, flags = 0): number {
  const count = sockets.c.send(
    int32(fd),
    buffer,
    transferSize(buffer),
    int32(flags),
  );
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** shutdown(2). Returns 0, or the negative errno. */
export function shutdown(fd: number, how: number): number {
  const result = moreSockets.c.shutdown(int32(fd), int32(how));
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
