/** Messages: many in one call, and with control data. @module */

import { int32, transferSize, uint32 } from "./arguments.ts";
import { errnoCopy, errnoView } from "./errno.ts";
import { IPPROTO_UDP, UDP_SEGMENT } from "./constants_socket.ts";
import { cmsghdr, iovec, mmsghdr, msghdr } from "./layout.ts";
import { messages } from "./libc.ts";
import type { Bytes } from "./system_calls.ts";
import { addressOf } from "./transfers.ts";

// Offsets in words of 32 bits.
const STRIDE = mmsghdr.size >> 2;
const NAME = msghdr.msg_name >> 2;
const NAME_LENGTH = msghdr.msg_namelen >> 2;
const IOV = msghdr.msg_iov >> 2;
const IOV_LENGTH = msghdr.msg_iovlen >> 2;
const CONTROL = msghdr.msg_control >> 2;
const CONTROL_LENGTH = msghdr.msg_controllen >> 2;
const FLAGS = msghdr.msg_flags >> 2;
const LENGTH = mmsghdr.msg_len >> 2;
const IOVEC_STRIDE = iovec.size >> 2;
const IOVEC_LENGTH = iovec.iov_len >> 2;

/** Bytes of control data that {@linkcode MessageVector.setSegments} writes. */
export const SEGMENTS_SPACE = 24;

/**
 * Writes a 64-bit address as two words. As a double it is exact: addresses of
 * processes have 56 bits at the most. A bigint would cost as much as all else.
 */
function setPointer(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = (address / 0x100000000) | 0;
}

function address(memory: Bytes): number {
  return Number(addressOf(memory));
}

/**
 * An array of `struct mmsghdr` over one piece of memory, for
 * {@linkcode recvmmsg} and {@linkcode sendmmsg}: each message has its data and
 * its address somewhere in there. The memory must not be detached.
 *
 * ```ts
 * import * as c from "@edgewise/epoll/ffi";
 *
 * const pair = new Int32Array(2);
 * c.socketpair(c.AF_UNIX, c.SOCK_DGRAM | c.SOCK_CLOEXEC, 0, pair);
 *
 * const sent = new c.MessageVector(2, new TextEncoder().encode("onetwo"));
 * sent.set(0, 0, 0, 0, 3); // no address, 3 bytes from 0 on
 * sent.set(1, 0, 0, 3, 3);
 * console.log(c.sendmmsg(pair[0], sent, 0, 2)); // 2
 *
 * const received = new c.MessageVector(8, new Uint8Array(8 * 100));
 * for (let index = 0; index < 8; index++) {
 *   received.set(index, 0, 0, index * 100, 100);
 * }
 * console.log(c.recvmmsg(pair[1], received, 8, c.MSG_DONTWAIT)); // 2
 * console.log(received.length(1)); // 3
 * for (const fd of pair) c.close(fd);
 * ```
 */
export class MessageVector {
  /** The memory that data and addresses are in. */
  readonly bytes: Bytes;
  /** How many messages it holds. */
  readonly messagesMax: number;
  /** The array itself, as the kernel has it. */
  readonly words: Int32Array<ArrayBuffer>;
  readonly #pieces: Int32Array<ArrayBuffer>;
  readonly #nameRooms: Int32Array<ArrayBuffer>;
  readonly #base: number;

  /**
   * Room for `messagesMax` messages in `bytes`, none of which has data or an
   * address yet. Throws RangeError unless that is a positive integer.
   */
  constructor(messagesMax: number, bytes: Bytes) {
    if (!Number.isInteger(messagesMax) || messagesMax < 1) {
      throw new RangeError(
        `Cannot make a MessageVector: messagesMax must be a positive integer, the current value is ${messagesMax}`,
      );
    }
    this.messagesMax = messagesMax;
    this.bytes = bytes;
    this.#base = address(bytes);
    this.words = new Int32Array(messagesMax * STRIDE);
    this.#pieces = new Int32Array(messagesMax * IOVEC_STRIDE);
    this.#nameRooms = new Int32Array(messagesMax);
    const pieces = address(new Uint8Array(this.#pieces.buffer));
    for (let index = 0; index < messagesMax; index++) {
      const at = index * STRIDE;
      setPointer(this.words, at + IOV, pieces + index * iovec.size);
      this.words[at + IOV_LENGTH] = 1;
    }
  }

  /**
   * Says where the address and the data of a message are, or may be put, by
   * their offsets in the memory. An address of no bytes is no address. Throws
   * RangeError outside the memory.
   */
  set(
    index: number,
    name: number,
    nameLength: number,
    data: number,
    dataLength: number,
  ): void {
    const nameEnd = uint32(name) + uint32(nameLength);
    const dataEnd = uint32(data) + uint32(dataLength);
    const end = Math.max(nameEnd, dataEnd);
    if (uint32(index) >= this.messagesMax || end > this.bytes.length) {
      throw new RangeError(
        `Cannot set message ${index} of ${this.messagesMax}: it ends at ${end}, and there are ${this.bytes.length} bytes`,
      );
    }
    const at = index * STRIDE;
    const base = this.#base;
    setPointer(this.words, at + NAME, nameLength === 0 ? 0 : base + name);
    this.words[at + NAME_LENGTH] = nameLength;
    this.#nameRooms[index] = nameLength;
    this.words[at + CONTROL_LENGTH] = 0;
    const piece = index * IOVEC_STRIDE;
    setPointer(this.#pieces, piece, base + data);
    this.#pieces[piece + IOVEC_LENGTH] = dataLength;
  }

  /**
   * Has a message that was set sent as datagrams of `size` bytes each, the last
   * one of what is left: UDP_SEGMENT, Linux 4.18. Older kernels would send it
   * as one: ask with getsockopt(2) first. Writes control data of
   * {@linkcode SEGMENTS_SPACE} bytes at `offset`.
   */
  setSegments(index: number, offset: number, size: number): void {
    const { buffer, byteOffset } = this.bytes;
    const view = new DataView(buffer, byteOffset + offset, SEGMENTS_SPACE);
    view.setUint32(cmsghdr.cmsg_len, cmsghdr.size + 2, true);
    view.setUint32(cmsghdr.cmsg_len + 4, 0, true);
    view.setInt32(cmsghdr.cmsg_level, IPPROTO_UDP, true);
    view.setInt32(cmsghdr.cmsg_type, UDP_SEGMENT, true);
    view.setUint16(cmsghdr.size, size, true);
    const at = uint32(index) * STRIDE;
    setPointer(this.words, at + CONTROL, this.#base + offset);
    this.words[at + CONTROL_LENGTH] = SEGMENTS_SPACE;
  }

  /**
   * Gives the addresses of the first `count` messages their room again: the
   * kernel has put the lengths that they have in its place.
   */
  restoreNames(count: number): void {
    for (let index = 0; index < count; index++) {
      this.words[index * STRIDE + NAME_LENGTH] = this.#nameRooms[index];
    }
  }

  /** The memory of a message's bytes, for who stands in for the kernel. */
  data(index: number): Bytes {
    const piece = uint32(index) * IOVEC_STRIDE;
    const length = this.#pieces[piece + IOVEC_LENGTH];
    return this.#at(this.#pieces, piece, length);
  }

  /** The memory of a message's address, likewise; none where it has no address. */
  name(index: number): Bytes {
    const at = uint32(index) * STRIDE;
    return this.#at(this.words, at + NAME, this.words[at + NAME_LENGTH]);
  }

  /** What {@linkcode MessageVector.setSegments} set; 0 if nothing. */
  segmentSize(index: number): number {
    const at = uint32(index) * STRIDE;
    const length = this.words[at + CONTROL_LENGTH];
    if (length === 0) return 0;
    const control = this.#at(this.words, at + CONTROL, length);
    return control[cmsghdr.size] | control[cmsghdr.size + 1] << 8;
  }

  /** Notes what was received, as the kernel does; the bytes are in `data`. */
  receive(index: number, name: Bytes, length: number, flags: number): void {
    const at = uint32(index) * STRIDE;
    const room = this.name(index);
    room.set(name.subarray(0, room.length));
    if (room.length > 0) this.words[at + NAME_LENGTH] = name.length;
    this.words[at + LENGTH] = length;
    this.words[at + FLAGS] = flags;
  }

  /** The length of a message's address. */
  nameLength(index: number): number {
    return this.words[index * STRIDE + NAME_LENGTH];
  }

  /** What the kernel says of a message's length (`msg_len`). */
  length(index: number): number {
    return this.words[index * STRIDE + LENGTH];
  }

  /** What the kernel says of a received message: MSG_TRUNC and its like. */
  flags(index: number): number {
    return this.words[index * STRIDE + FLAGS];
  }

  /** The part of `bytes` that the pointer at a word points at. */
  #at(words: Int32Array, at: number, length: number): Bytes {
    if (length === 0) return this.bytes.subarray(0, 0);
    const pointer = (words[at] >>> 0) + words[at + 1] * 0x100000000;
    const start = pointer - this.#base;
    return this.bytes.subarray(start, start + length);
  }
}

/**
 * recvmmsg(2), Linux 2.6.33: receives up to `count` messages into the first of
 * `vector`. With MSG_TRUNC the lengths are those that the messages had, also
 * where they did not fit. Returns the number of messages, or the negative errno.
 */
export function recvmmsg(
  fd: number,
  vector: MessageVector,
  count: number,
  flags = 0,
): number {
  requireMessages(vector, 0, count);
  const received = messages.c.recvmmsg(
    int32(fd),
    vector.words,
    count,
    int32(flags),
    null,
  );
  return received < 0 ? -(errnoView ?? errnoCopy())[0] : received;
}

/**
 * sendmmsg(2), Linux 3.0: sends `count` messages of `vector` from `start` on, at
 * most 1,024. Returns the number of messages sent, or the negative errno if
 * already the first can't be sent.
 */
export function sendmmsg(
  fd: number,
  vector: MessageVector,
  start: number,
  count: number,
  flags = 0,
): number {
  requireMessages(vector, start, count);
  const { words } = vector;
  const sent = messages.c.sendmmsg(
    int32(fd),
    start === 0 ? words : words.subarray(start * STRIDE),
    count,
    int32(flags),
  );
  return sent < 0 ? -(errnoView ?? errnoCopy())[0] : sent;
}

function requireMessages(
  vector: MessageVector,
  start: number,
  count: number,
): void {
  if (uint32(start) + uint32(count) <= vector.messagesMax) return;
  throw new RangeError(
    `Cannot move ${count} messages from ${start} on: the vector holds ${vector.messagesMax}`,
  );
}

// A struct msghdr with one piece and control data.
const header = new Int32Array(msghdr.size >> 2);
const piece = new Int32Array(iovec.size >> 2);

function fillHeader(data: Bytes, control: Bytes): void {
  setPointer(piece, 0, address(data));
  piece[IOVEC_LENGTH] = transferSize(data);
  setPointer(header, IOV, address(new Uint8Array(piece.buffer)));
  header[IOV_LENGTH] = 1;
  setPointer(header, CONTROL, address(control));
  header[CONTROL_LENGTH] = control.byteLength;
}

/**
 * sendmsg(2) of `data` with control data, to the socket's peer. Returns the
 * count of bytes, or the negative errno.
 */
export function sendmsg(
  fd: number,
  data: Bytes,
  control: Bytes,
  flags = 0,
): number {
  fillHeader(data, control);
  const sent = messages.c.sendmsg(int32(fd), header, int32(flags));
  return sent < 0 ? -(errnoView ?? errnoCopy())[0] : sent;
}

/**
 * recvmsg(2): fills `data` and `control`, and `outcome` with the length of the
 * control data and with `msg_flags`, MSG_CTRUNC and its like. Returns the count
 * of bytes, 0 at end of file, or the negative errno.
 */
export function recvmsg(
  fd: number,
  data: Bytes,
  control: Bytes,
  outcome: Int32Array,
  flags = 0,
): number {
  fillHeader(data, control);
  const received = messages.c.recvmsg(int32(fd), header, int32(flags));
  if (received < 0) return -(errnoView ?? errnoCopy())[0];
  outcome[0] = header[CONTROL_LENGTH];
  outcome[1] = header[FLAGS];
  return received;
}
