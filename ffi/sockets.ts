/** Sockets. @module */

import { errnoCopy, errnoView } from "./errno.ts";
import { sockets } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";

const length = new Uint32Array(1);

/** socket(2). Returns the descriptor, or the negative errno. */
export function socket(domain: number, type: number, protocol = 0): number {
  const fd = sockets.c.socket(domain, type, protocol);
  return fd < 0 ? -(errnoView ?? errnoCopy())[0] : fd;
}

/** bind(2). `address` is a whole `struct sockaddr_*`. Returns 0, or the negative errno. */
export function bind(fd: number, address: Bytes): number {
  const result = sockets.c.bind(fd, address, address.byteLength);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** listen(2). Returns 0, or the negative errno. */
export function listen(fd: number, backlog: number): number {
  const result = sockets.c.listen(fd, backlog);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** accept4(2), Linux 2.6.28, without the peer's address. Returns the descriptor, or the negative errno. */
export function accept4(fd: number, flags = 0): number {
  const accepted = sockets.c.accept4(fd, null, null, flags);
  return accepted < 0 ? -(errnoView ?? errnoCopy())[0] : accepted;
}

/** connect(2). Returns 0, or the negative errno. */
export function connect(fd: number, address: Bytes): number {
  const result = sockets.c.connect(fd, address, address.byteLength);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** getsockname(2): fills `address` and returns its length, or the negative errno. */
export function getsockname(fd: number, address: Bytes): number {
  length[0] = address.byteLength;
  const result = sockets.c.getsockname(fd, address, length);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : length[0];
}

/** getpeername(2): fills `address` and returns its length, or the negative errno. */
export function getpeername(fd: number, address: Bytes): number {
  length[0] = address.byteLength;
  const result = sockets.c.getpeername(fd, address, length);
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
  const result = sockets.c.getsockopt(fd, level, name, value, length);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : length[0];
}

/** setsockopt(2). Returns 0, or the negative errno. */
export function setsockopt(
  fd: number,
  level: number,
  name: number,
  value: Bytes,
): number {
  const result = sockets.c.setsockopt(fd, level, name, value, value.byteLength);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}

/** recv(2). Returns the count, 0 at end of file, or the negative errno. */
export function recv(fd: number, buffer: Bytes, flags = 0): number {
  const count = sockets.c.recv(fd, buffer, buffer.byteLength, flags);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** send(2). Returns the count, or the negative errno. */
export function send(fd: number, buffer: Bytes, flags = 0): number {
  const count = sockets.c.send(fd, buffer, buffer.byteLength, flags);
  return count < 0 ? -(errnoView ?? errnoCopy())[0] : count;
}

/** shutdown(2). Returns 0, or the negative errno. */
export function shutdown(fd: number, how: number): number {
  const result = sockets.c.shutdown(fd, how);
  return result < 0 ? -(errnoView ?? errnoCopy())[0] : result;
}
