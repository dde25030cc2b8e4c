/**
 * Options and handlers of datagram sockets.
 *
 * @module
 */

import type { SystemError } from "../../ffi/mod.ts";
import type { Datagram } from "./datagram.ts";
import type { DatagramPeer } from "./datagram_peer.ts";
import { checkArguments, checkInteger } from "./options.ts";

/**
 * What to call for a datagram socket. Handlers are never called at the same
 * time as another handler of the engine, nor inside a verb.
 */
export interface DatagramHandlers {
  /**
   * A datagram arrived; it may be empty.
   *
   * @param chunk Its bytes, a view into memory that is used again: valid until
   * the handler returns.
   * @param from Who sent it, to be handed to {@linkcode Datagram.send}: valid
   * until the handler returns, too. `keep()` makes one that stays.
   * @param length The bytes that it had when it was sent: more than
   * `chunk.length` if it was cut to `messageMax` (MSG_TRUNC).
   */
  data?(
    datagram: Datagram,
    chunk: Uint8Array,
    from: DatagramPeer,
    length: number,
  ): void;
  /** All that was queued has been sent, after `send()` refused something. */
  drain?(datagram: Datagram): void;
  /**
   * A datagram could not be sent, which concerns no other: `EMSGSIZE` for one
   * that is too long, say, with its address. Or the peer of a connected socket
   * can't be reached: `ECONNREFUSED`, once each time that the kernel tells. The
   * socket goes on, unless `close` follows.
   */
  error?(datagram: Datagram, error: SystemError): void;
  /** Called exactly once, as the last handler of the socket. */
  close?(datagram: Datagram): void;
}

/** An end of a datagram socket. */
export interface DatagramEndpoint {
  /** An IPv4 or IPv6 address in text form. @default {"127.0.0.1"} */
  hostname?: string;
  /** A port from 0 to 65535. */
  port?: number;
  /**
   * A unix socket instead: a path, or an abstract name after a leading `\0`. A
   * socket file that is left of a program that has ended is replaced; the one
   * that is made is removed in the end.
   */
  path?: string;
}

/** Where a datagram socket is, what it is connected to, and its limits. */
export interface DatagramOptions extends DatagramEndpoint {
  /**
   * Connects the socket: it sends there where no address is given, and receives
   * from there alone. Without an address of its own the kernel picks one, a name
   * for a unix socket included, so that the peer can answer.
   */
  remote?: DatagramEndpoint;
  /** Takes over a datagram socket: it is closed with this one. */
  fd?: number;
  /**
   * Lets several sockets share the port (SO_REUSEPORT): the kernel spreads
   * senders over them, such as the workers of one server. @default {false}
   */
  reusePort?: boolean;
  /**
   * Lets several sockets of a multicast group share the port (SO_REUSEADDR):
   * each receives everything. @default {false}
   */
  reuseAddress?: boolean;
  /** Whether an IPv6 socket refuses IPv4; the system's default otherwise. */
  ipv6Only?: boolean;
  /** Allows sending to broadcast addresses (SO_BROADCAST). @default {false} */
  broadcast?: boolean;
  /** Bytes that a datagram is received whole with, from 1. @default {65535} */
  messageMax?: number;
  /** Datagrams received in one call, from 1 to 1024. @default {64} */
  batchMax?: number;
  /** Datagrams that wait to be sent, from 1 to 65536. @default {256} */
  queueMax?: number;
  /** Bytes that wait to be sent, addresses included. @default {262144} */
  bufferMax?: number;
  /**
   * Sends neighbours in the queue of one length, up to 1232 bytes, and to one
   * address as segments of one message (UDP_SEGMENT, Linux 4.18): the same
   * datagrams arrive, for much less of the kernel's time. Where the kernel or
   * the network takes no segments, each is sent by itself. @default {true}
   */
  segments?: boolean;
  /** Bytes that the kernel holds until they are read (SO_RCVBUF); it doubles them. */
  receiveBufferBytes?: number;
  /** Bytes that the kernel holds until they are sent (SO_SNDBUF); it doubles them. */
  sendBufferBytes?: number;
}

/** The limits of a datagram socket, all checked. */
export interface DatagramLimits {
  readonly messageMax: number;
  readonly batchMax: number;
  readonly queueMax: number;
  readonly bufferMax: number;
  readonly segments: boolean;
}

/** The memory of a batch; only what datagrams have filled is really taken. */
const BATCH_BYTES_MAX = 0x3fffffff;

const HANDLERS = [
  "data",
  "drain",
  "error",
  "close",
] as const satisfies readonly (keyof DatagramHandlers)[];

/**
 * Takes the limits out of the options. Throws TypeError unless options and
 * handlers are such, and RangeError.
 */
export function datagramLimits(
  options: DatagramOptions,
  handlers: DatagramHandlers,
): DatagramLimits {
  checkArguments("open a datagram socket", options, handlers, HANDLERS);
  const {
    messageMax = 65535,
    batchMax = 64,
    queueMax = 256,
    bufferMax = 256 * 1024,
    segments = true,
  } = options;
  checkInteger("messageMax", messageMax, 1, 0xffffff);
  checkInteger("batchMax", batchMax, 1, 1024);
  checkInteger("queueMax", queueMax, 1, 65536);
  checkInteger("bufferMax", bufferMax, 0, 0x3fffffff);
  if (messageMax * batchMax > BATCH_BYTES_MAX) {
    throw new RangeError(
      `Cannot use batchMax ${batchMax} with messageMax ${messageMax}: a batch would take more than ${BATCH_BYTES_MAX} bytes`,
    );
  }
  return { messageMax, batchMax, queueMax, bufferMax, segments };
}
