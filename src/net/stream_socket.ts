/**
 * What all connected stream sockets have: the options and the state of TCP.
 *
 * @module
 */

import {
  IPPROTO_TCP,
  type SystemCalls,
  SystemError,
  TCP_INFO,
  tcp_info,
} from "../../ffi/mod.ts";
import { BaseSocket } from "./base_socket.ts";
import { pendingError } from "./socket.ts";

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
    return pendingError(this.event.parts.calls, this.event.fd);
  }
}

/** The state of a TCP connection, by the kernel's name. */
export type TcpState =
  | "ESTABLISHED"
  | "SYN_SENT"
  | "SYN_RECV"
  | "FIN_WAIT1"
  | "FIN_WAIT2"
  | "TIME_WAIT"
  | "CLOSE"
  | "CLOSE_WAIT"
  | "LAST_ACK"
  | "LISTEN"
  | "CLOSING";

/** The states by the kernel's numbers, from 1 on. */
const STATES: readonly TcpState[] = [
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
];

/** What TCP_INFO tells, from the fields that every kernel fills. */
export interface TcpInfo {
  /** The connection's state. */
  readonly state: TcpState;
  /** The round-trip time, smoothed. */
  readonly rttMs: number;
  /** Its mean deviation. */
  readonly rttDeviationMs: number;
  /** The time until an unacknowledged segment is sent again. */
  readonly retransmitTimeoutMs: number;
  /** Times in a row that the segment in hand was sent again. */
  readonly retransmits: number;
  /** Segments sent again since the connection was made. */
  readonly retransmitsTotal: number;
  /** Probes of SO_KEEPALIVE or of a closed window without an answer. */
  readonly probes: number;
  /** Segments sent and not acknowledged. */
  readonly unacknowledged: number;
  /** Segments taken for lost. */
  readonly lost: number;
  /** Segments that may be on their way. */
  readonly congestionWindow: number;
  /** The slow start threshold, in segments. */
  readonly slowStartThreshold: number;
  /** The largest segment sent, in bytes. */
  readonly sendMss: number;
  /** The largest segment received, in bytes. */
  readonly receiveMss: number;
  /** The largest packet of the path, in bytes. */
  readonly pathMtu: number;
  /** Bytes that the receive buffer is tuned for. */
  readonly receiveSpace: number;
  /** Time since data was last sent. */
  readonly lastSentMs: number;
  /** Time since data was last received. */
  readonly lastReceivedMs: number;
  /** Time since an acknowledgement was last received. */
  readonly lastAcknowledgedMs: number;
}

/** getsockopt(2) with TCP_INFO. Throws SystemError where the socket is not TCP. */
export function tcpInfo(calls: SystemCalls, fd: number): TcpInfo {
  const bytes = new Uint8Array(tcp_info.tcpi_total_retrans + 4);
  const result = calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes);
  if (result < 0) throw new SystemError("getsockopt(TCP_INFO)", result, { fd });
  const view = new DataView(bytes.buffer);
  const word = (offset: number) => view.getUint32(offset, true);
  return {
    state: STATES[bytes[tcp_info.tcpi_state] - 1],
    rttMs: word(tcp_info.tcpi_rtt) / 1000,
    rttDeviationMs: word(tcp_info.tcpi_rttvar) / 1000,
    retransmitTimeoutMs: word(tcp_info.tcpi_rto) / 1000,
    retransmits: bytes[tcp_info.tcpi_retransmits],
    retransmitsTotal: word(tcp_info.tcpi_total_retrans),
    probes: bytes[tcp_info.tcpi_probes],
    unacknowledged: word(tcp_info.tcpi_unacked),
    lost: word(tcp_info.tcpi_lost),
    congestionWindow: word(tcp_info.tcpi_snd_cwnd),
    slowStartThreshold: word(tcp_info.tcpi_snd_ssthresh),
    sendMss: word(tcp_info.tcpi_snd_mss),
    receiveMss: word(tcp_info.tcpi_rcv_mss),
    pathMtu: word(tcp_info.tcpi_pmtu),
    receiveSpace: word(tcp_info.tcpi_rcv_space),
    lastSentMs: word(tcp_info.tcpi_last_data_sent),
    lastReceivedMs: word(tcp_info.tcpi_last_data_recv),
    lastAcknowledgedMs: word(tcp_info.tcpi_last_ack_recv),
  };
}
