/**
 * What goes beside the bytes of a unix socket: open descriptors, to another
 * process, and the knowledge who that process is.
 *
 * @module
 */

import {
  type Bytes,
  close,
  decodeCredentials,
  decodeDescriptors,
  descriptorsSpace,
  EAGAIN,
  EINTR,
  EMSGSIZE,
  encodeDescriptors,
  ENOTCONN,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  type PeerCredentials,
  SCM_MAX_FD,
  SO_PEERCRED,
  SOL_SOCKET,
  systemCalls,
  SystemError,
  ucred,
} from "../../ffi/mod.ts";

/** A unix socket: its descriptor, or what has one, such as a {@linkcode Connection}. */
export type UnixSocket = number | {
  /** The descriptor. */
  readonly fd: number;
  /** Bytes that must go first, where it buffers. */
  readonly bufferedBytes?: number;
};

/** What {@linkcode receiveDescriptors} found. */
export interface ReceivedDescriptors {
  /** Bytes put into the buffer; 0 at the end of a stream. */
  readonly length: number;
  /** The descriptors that came with them: yours to close. */
  readonly descriptors: number[];
  /** Whether a datagram was longer than the buffer, and was cut. */
  readonly truncated: boolean;
}

/** The user id where the kernel knows none. */
const NO_USER = 0xffffffff;

/**
 * Sends open descriptors over a unix socket (SCM_RIGHTS), as duplicates: yours
 * stay open, and are yours to close. On a stream they come with the first of the
 * bytes. Never waits.
 *
 * @example A connection for another process
 * ```ts
 * import { Engine, receiveDescriptors, sendDescriptors } from "@edgewise/epoll";
 * import { AF_UNIX, close, SOCK_STREAM, socketpair } from "@edgewise/epoll/ffi";
 *
 * using engine = new Engine();
 * // Two ends of one socket: commonly the other one is in another process.
 * const pair = new Int32Array(2);
 * socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
 *
 * const listener = engine.listen({ port: 0 }, {
 *   open(connection) {
 *     const fd = connection.detach();
 *     sendDescriptors(pair[0], new TextEncoder().encode("take it"), [fd]);
 *     close(fd);
 *     engine.stop();
 *   },
 * });
 * engine.connect({ port: listener.port }, {});
 * engine.run();
 *
 * const received = receiveDescriptors(pair[1], new Uint8Array(64));
 * for (const fd of received?.descriptors ?? []) close(fd);
 * console.log(received?.descriptors.length); // 1
 * for (const fd of pair) close(fd);
 * ```
 *
 * @param socket A {@linkcode Connection} must have sent what it buffers; the
 * queue of a {@linkcode Datagram} is overtaken.
 * @param bytes At least one: without bytes a stream would lose the descriptors.
 * @param descriptors 1 to 253 of them.
 * @returns The bytes sent, all descriptors with them; on a stream the rest, if
 * any, is sent as usual. 0 if nothing can be sent for now, nor was.
 * @throws {RangeError} If there are too few or too many.
 * @throws {SystemError} `EBADF` if one is not open, `EPIPE` if the peer is gone,
 * `ETOOMANYREFS` if too many are on their way, `EINVAL` on another kind of
 * socket.
 */
export function sendDescriptors(
  socket: UnixSocket,
  bytes: Bytes,
  descriptors: readonly number[],
): number {
  const fd = descriptorOf(socket);
  if (bytes.length === 0) {
    throw new RangeError("Cannot pass descriptors: at least one byte must go");
  }
  const control = encodeDescriptors(descriptors);
  if (typeof socket === "object" && (socket.bufferedBytes ?? 0) > 0) return 0;
  for (;;) {
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    const sent = systemCalls.sendmsg(fd, bytes, control, flags);
    if (sent >= 0) return sent;
    if (sent === -EAGAIN) return 0;
    if (sent !== -EINTR) throw new SystemError("sendmsg", -sent, { fd });
  }
}

/**
 * Receives bytes over a unix socket, and the descriptors that come with them:
 * close-on-exec, and yours to close. Never waits; a stream is read no further
 * than the bytes of one message with descriptors.
 *
 * A {@linkcode Connection} reads by itself, and the kernel drops descriptors
 * that are not asked for: take the socket with `detach()`, register it, and call
 * this from its read handler.
 *
 * @param buffer Filled from the start.
 * @returns null if there is nothing for now.
 * @throws {SystemError} What recvmsg(2) answers, such as `ECONNRESET`.
 * `EMSGSIZE` if not all descriptors could be taken, commonly because the process
 * may have no more open: those that were are closed, and the bytes are lost.
 */
export function receiveDescriptors(
  socket: UnixSocket,
  buffer: Bytes,
): ReceivedDescriptors | null {
  const fd = descriptorOf(socket);
  const control = new Uint8Array(descriptorsSpace(SCM_MAX_FD));
  const outcome = new Int32Array(2);
  const flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
  let length: number;
  do length = systemCalls.recvmsg(fd, buffer, control, outcome, flags); while (
    length === -EINTR
  );
  if (length === -EAGAIN) return null;
  if (length < 0) throw new SystemError("recvmsg", -length, { fd });
  const [controlLength, outcomeFlags] = outcome;
  const descriptors = decodeDescriptors(control, controlLength);
  if ((outcomeFlags & MSG_CTRUNC) !== 0) {
    for (const descriptor of descriptors) close(descriptor);
    throw new SystemError("recvmsg", EMSGSIZE, { fd });
  }
  const truncated = (outcomeFlags & MSG_TRUNC) !== 0;
  return { length, descriptors, truncated };
}

/**
 * Who is at the other end of a connected unix socket (SO_PEERCRED): the process
 * that connected, or that listened, at that time.
 *
 * @throws {SystemError} `ENOTCONN` if the socket is not connected, or is not a
 * unix socket; `EBADF` or `ENOTSOCK` for what is none.
 */
export function peerCredentials(socket: UnixSocket): PeerCredentials {
  const fd = descriptorOf(socket);
  const bytes = new Uint8Array(ucred.size);
  const result = systemCalls.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes);
  if (result < 0) throw new SystemError("getsockopt", -result, { fd });
  const credentials = decodeCredentials(bytes);
  if (credentials.pid === 0 && credentials.uid === NO_USER) {
    throw new SystemError("getsockopt", ENOTCONN, { fd });
  }
  return credentials;
}

function descriptorOf(socket: UnixSocket): number {
  return typeof socket === "number" ? socket : socket.fd;
}
