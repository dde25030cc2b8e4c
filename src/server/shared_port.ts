/**
 * The listening sockets behind which several workers serve one port. The server
 * owns them for as long as it runs, and its workers take duplicates: a client
 * in a backlog survives the worker that would have accepted it.
 *
 * @module
 */

import {
  F_DUPFD_CLOEXEC,
  type SocketAddress,
  systemCalls,
  SystemError,
} from "../../ffi/mod.ts";
import { checkListening, listeningSocket } from "../net/listening_socket.ts";
import type { ListenOptions } from "../net/options.ts";
import { boundAddress, endpointAddress } from "../net/socket.ts";
import { SocketFile } from "../net/unix_path.ts";

/** One address, and a socket for it or one for each worker. */
export class SharedPort {
  readonly localAddress: SocketAddress;
  readonly #sockets: number[] = [];
  readonly #file: SocketFile | null;

  /**
   * @throws {SystemError} What socket(2), bind(2) or listen(2) refuse; if the
   * `fd` of the options does not listen, which stays as it is then.
   */
  constructor(options: ListenOptions, sockets: number) {
    const wanted = endpointAddress(options, 0);
    if (options.fd !== undefined) checkListening(systemCalls, options.fd);
    const each = { ...options, reusePort: sockets > 1 };
    this.#sockets.push(
      options.fd ?? listeningSocket(systemCalls, wanted, each),
    );
    // With port 0 the kernel has picked one by now, which the others share.
    const address = boundAddress(systemCalls, this.#sockets[0]) ?? wanted;
    this.localAddress = address;
    this.#file = options.fd === undefined && address.family === "unix"
      ? new SocketFile(systemCalls, address.path)
      : null;
    try {
      while (this.#sockets.length < sockets) {
        this.#sockets.push(listeningSocket(systemCalls, address, each));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The socket of a worker. It stays the server's: see {@linkcode duplicate}. */
  socketOf(worker: number): number {
    return this.#sockets[worker % this.#sockets.length];
  }

  /** Stops listening, but for workers that hold duplicates. */
  close(): void {
    this.#file?.remove();
    for (const fd of this.#sockets.splice(0)) systemCalls.close(fd);
  }
}

/** A descriptor of its own for the same socket, close-on-exec. */
export function duplicate(fd: number): number {
  const copy = systemCalls.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw new SystemError("fcntl", copy, { fd });
  return copy;
}
