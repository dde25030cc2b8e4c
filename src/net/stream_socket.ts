/**
 * What all connected stream sockets have: the options and the state of TCP.
 *
 * @module
 */

import { SO_ERROR, SOL_SOCKET } from "../../ffi/mod.ts";
import { BaseSocket } from "./base_socket.ts";
import { type TcpInfo, tcpInfo } from "./tcp_info.ts";

/** When the kernel probes an idle peer. What is left out is the system's. */
export interface KeepAliveOptions {
  /** Seconds idle before the first probe, 1 to 32767. */
  idleSeconds?: number;
  /** Seconds between probes, 1 to 32767. */
  intervalSeconds?: number;
  /** Probes without an answer before the connection fails, 1 to 127. */
  count?: number;
}

/** A connected stream socket; {@linkcode Connection} reads and writes it. */
export abstract class StreamSocket extends BaseSocket {
  /**
   * Sets TCP_NODELAY: whether small writes go out at once.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP, `EBADF` once
   * it is closed.
   */
  setNoDelay(enabled = true): void {
    this.setOption("TCP_NODELAY", enabled);
  }

  /**
   * Sets SO_KEEPALIVE: whether the kernel probes an idle peer; with options, on
   * and when.
   *
   * @throws {SystemError} `EBADF` once the connection is closed; with options,
   * `EOPNOTSUPP` where the socket is not TCP, `EINVAL` for one out of its range.
   */
  setKeepAlive(enabled: boolean | KeepAliveOptions = true): void {
    if (typeof enabled !== "boolean") {
      const { idleSeconds, intervalSeconds, count } = enabled;
      if (idleSeconds !== undefined) {
        this.setOption("TCP_KEEPIDLE", idleSeconds);
      }
      if (intervalSeconds !== undefined) {
        this.setOption("TCP_KEEPINTVL", intervalSeconds);
      }
      if (count !== undefined) this.setOption("TCP_KEEPCNT", count);
    }
    this.setOption("SO_KEEPALIVE", enabled !== false);
  }

  /**
   * Asks the kernel for what it knows of the TCP connection: its state, times,
   * losses and windows.
   *
   * @throws {SystemError} `EOPNOTSUPP` where the socket is not TCP, `EBADF` once
   * it is closed.
   */
  tcpInfo(): TcpInfo {
    return tcpInfo(this.event.parts.calls, this.fd);
  }

  /** @internal Has close(2) send an RST, of a socket that there is. */
  protected resetOnClose(): void {
    if (this.event.fd >= 0) this.setOption("SO_LINGER", 0);
  }

  /** @internal The socket's pending error, cleared by this; 0 for none. */
  protected takeError(): number {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    const { calls } = this.event.parts;
    calls.getsockopt(this.event.fd, SOL_SOCKET, SO_ERROR, bytes);
    return value[0];
  }
}
