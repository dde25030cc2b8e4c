/**
 * The receiving half of a connection: reads within a budget, pauses, and the end
 * of file.
 *
 * @module
 */

import { EAGAIN, EINTR } from "../../ffi/mod.ts";
import { readAgain } from "../interest.ts";
import { RECEIVE_BYTES } from "./receive_buffer.ts";
import { SendingSocket } from "./sending_socket.ts";
import { LOST, OPEN } from "./stage.ts";

/** Bytes read for one event before other descriptors have their turn. */
const READ_BUDGET_BYTES = 4 * RECEIVE_BYTES;

/** What a {@linkcode Connection} receives, and when. */
export abstract class ReceivingSocket extends SendingSocket {
  #paused = false;

  /** Stops calling `data` and `end`, without a system call: the peer waits. */
  pause(): void {
    if (this.closed || this.#paused) return;
    this.#paused = true;
    if (this.stage === OPEN) this.event.blockRead();
  }

  /** Goes on after `pause()`. */
  resume(): void {
    if (this.closed || !this.#paused) return;
    this.#paused = false;
    this.activity?.received();
    this.startReading();
  }

  /** @internal Whether something to read is waited for. */
  get reading(): boolean {
    return this.stage === OPEN && !this.#paused && !this.readEnded;
  }

  /** @internal Has the read handler called, where the user wants it. */
  protected startReading(): void {
    if (this.reading) this.event.enableRead();
  }

  /** @internal There may be something to read. */
  protected receive(): void {
    const { parts } = this.shared;
    const event = this.event;
    let left = READ_BUDGET_BYTES;
    let drained = false;
    if (this.activity !== null) this.activity.received();
    try {
      while (left > 0 && !drained && this.reading) {
        const count = parts.calls.recv(event.fd, parts.receive.bytes, 0);
        if (count > 0) {
          left -= count;
          drained = count < RECEIVE_BYTES && this.#isDrained();
          if (drained) event.readReady = false;
          this.received(parts.receive.view(count));
        } else if (count === 0) {
          this.endReading();
        } else if (count === -EAGAIN) {
          event.readReady = false;
          drained = true;
        } else if (count !== -EINTR) {
          this.fail("recv", -count);
        }
      }
    } finally {
      // In edge mode the kernel does not report again what the budget, or a
      // handler that threw, has left.
      if (!drained && this.reading) readAgain(event);
    }
  }

  /** @internal The peer will send no more. */
  protected endReading(): void {
    this.readEnded = true;
    this.event.blockRead();
    try {
      this.ended();
    } finally {
      const flushed = !this.outlivesEnd && this.sender.empty;
      if (flushed || this.sender.ended) this.destroy(LOST, null);
    }
  }

  /** @internal Tells of bytes. */
  protected abstract received(chunk: Uint8Array): void;
  /** @internal Tells that the peer will send no more. */
  protected abstract ended(): void;

  /**
   * Whether a read that filled less than the buffer has taken all. Not so after
   * an RDHUP, as the end of file is still to come; nor where a read stops early:
   * at TCP's urgent data, and at a unix socket's message with descriptors.
   */
  #isDrained(): boolean {
    const event = this.event;
    return !event.eof && !event.urgent && this.shared.readsWhole;
  }
}
