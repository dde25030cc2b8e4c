/** The other end of a connection: a bare socket that is used by system calls. */
import {
  EAGAIN,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_LINGER,
  SOL_SOCKET,
} from "../../../ffi/mod.ts";
import type { SystemCalls } from "../../../ffi/system_calls.ts";
import { optionValue } from "../../support/net_peer.ts";
import { uninterrupted } from "./descriptor_ends.ts";
import { isStreamBytes, streamBytes } from "../../support/stream_bytes.ts";
import { expect } from "./violation.ts";

/** linger on, for no time: close(2) sends an RST. */
const RESETS = optionValue(1, 0);
const buffer = new Uint8Array(65536);

/** A bare socket that writes one stream and reads another. */
export class RawPeer {
  sent = 0;
  received = 0;
  /** Whether it has sent its end, by whatever means. */
  ended = false;
  /** Whether it has read the end of what is sent to it. */
  sawEnd = false;
  /** Whether it got an error instead. */
  failed = false;
  closed = false;
  /** Whether it has closed without hearing the other side out. */
  broke = false;

  constructor(
    readonly calls: SystemCalls,
    readonly fd: number,
    readonly stream: number,
  ) {}

  /** Writes what the kernel takes of `length` bytes. */
  write(length: number): void {
    if (this.ended) return;
    const piece = streamBytes(this.stream, this.sent, length);
    const count = uninterrupted(() =>
      this.calls.send(this.fd, piece, MSG_NOSIGNAL)
    );
    if (count > 0) this.sent += count;
    else if (count !== -EAGAIN) this.failed = true;
  }

  /** Reads up to `length` bytes; they must be those of `stream`. Returns the result. */
  read(length: number, stream: number): number {
    if (this.closed || this.sawEnd || this.failed) return 0;
    const part = buffer.subarray(0, Math.min(length, buffer.length));
    const count = uninterrupted(() => this.calls.recv(this.fd, part, 0));
    if (count > 0) {
      const chunk = part.subarray(0, count);
      expect(
        isStreamBytes(stream, this.received, chunk),
        () => `stream ${stream}: wrong bytes sent at ${this.received}`,
      );
      this.received += count;
    } else if (count === 0) this.sawEnd = true;
    else if (count !== -EAGAIN) this.failed = true;
    return count;
  }

  /** Reads until there is nothing now. */
  drain(stream: number): void {
    while (this.read(buffer.length, stream) > 0);
  }

  /** Sends its end. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.calls.shutdown(this.fd, SHUT_WR);
  }

  /** Closes; what it has not read makes that a reset. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.ended = true;
    this.broke = !this.sawEnd && !this.failed;
    this.calls.close(this.fd);
  }

  /** Closes with an RST. */
  reset(): void {
    if (this.closed) return;
    this.calls.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, RESETS);
    this.close();
    this.broke = true;
  }
}
