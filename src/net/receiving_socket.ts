/**
 * The receiving half of a connection: reads within a budget, pauses, and the end
 * of file.
 *
 * @module
 */

import { EAGAIN, EINTR } from "../../ffi/mod.ts";
import type { FdEvent } from "../fd_event.ts";
import { readAgain } from "../interest.ts";
import { readsShort } from "../reported.ts";
import { RECEIVE_BYTES } from "./receive_buffer.ts";
import { PipePiece } from "./pieces.ts";
import { SendingSocket } from "./sending_socket.ts";
import { LOST, OPEN } from "./closing.ts";

/** Bytes read for one event before other descriptors have their turn. */
const READ_BUDGET_BYTES = 4 * RECEIVE_BYTES;

/** Where what arrives goes, instead of to the user. */
interface Route {
  readonly to: ReceivingSocket;
  readonly pipe: PipePiece;
  /** Whether reading waits for the pipe to be empty again. */
  waits: boolean;
}

/** What a {@linkcode Connection} receives, and when. */
export abstract class ReceivingSocket extends SendingSocket {
  #paused = false;
  #route: Route | null = null;
  /** The connection whose route leads here. */
  #feeder: ReceivingSocket | null = null;

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

  /**
   * Has the kernel hand everything that arrives here over to another connection,
   * by splice(2) through a pipe: it does not come into the process, and `data` is
   * not called any more. What was written to `to` before goes first. While `to`
   * takes no more, nothing is read here.
   *
   * The end of what arrives ends `to`, after the `end` handler, if there is one.
   * The connection does not close then: it does once it is ended, too, as by a
   * splice the other way. If either fails or is closed before the end has been
   * passed on, the other one is reset.
   *
   * @example A proxy
   * ```ts
   * import { Engine } from "@edgewise/epoll";
   *
   * using engine = new Engine();
   * engine.listen({ port: 0 }, {
   *   open(client) {
   *     client.pause();
   *     engine.connect({ port: 8080 }, {
   *       open(upstream) {
   *         client.splice(upstream);
   *         upstream.splice(client);
   *         client.resume();
   *       },
   *       close: () => client.close(),
   *     });
   *   },
   * });
   * ```
   *
   * @param to Another open connection of the same engine.
   * @throws {Error} If one of the two is not open, has ended or is spliced so
   * already; if both are the same, or their engines are not.
   * @throws {SystemError} `EMFILE` or `ENFILE` from pipe2(2).
   */
  splice(to: ReceivingSocket): void {
    const refused = this.#noRoute(to);
    if (refused !== null) {
      throw new Error(
        `Cannot splice descriptor ${this.fd} to ${to.fd}: ${refused}`,
      );
    }
    const pipe = new PipePiece(this.shared.parts.calls, () => this.#goOn());
    this.#route = { to, pipe, waits: false };
    to.#feeder = this;
  }

  /** @internal Whether something to read is waited for. */
  get reading(): boolean {
    return this.stage === OPEN && !this.#paused && !this.readEnded;
  }

  /** @internal Has the read handler called, where the user wants it. */
  protected startReading(): void {
    if (this.reading && !this.#route?.waits) this.event.enableRead();
  }

  /** @internal The read handler: there may be something to read. */
  static receive(event: FdEvent): void {
    const socket = event.data as ReceivingSocket;
    if (socket.#route !== null) return socket.#forward(socket.#route);
    const { parts } = socket.shared;
    let left = READ_BUDGET_BYTES;
    let drained = false;
    if (socket.activity !== null) socket.activity.received();
    try {
      // A handler may pause, or have the rest spliced.
      while (!drained && left > 0 && socket.reading && socket.#route === null) {
        const count = parts.calls.recv(event.fd, parts.receive.bytes, 0);
        if (count > 0) {
          left -= count;
          drained = count < RECEIVE_BYTES && socket.#isDrained();
          if (drained) event.readReady = false;
          socket.received(parts.receive.view(count));
        } else if (count === 0) {
          socket.endReading();
        } else if (count === -EAGAIN) {
          event.readReady = false;
          drained = true;
        } else if (count !== -EINTR) {
          socket.fail("recv", -count);
        }
      }
    } finally {
      // In edge mode the kernel does not report again what the budget, or a
      // handler that threw, has left.
      if (!drained && socket.reading) readAgain(event);
    }
  }

  /** @internal The peer will send no more. */
  protected endReading(): void {
    this.readEnded = true;
    this.event.blockRead();
    try {
      this.ended();
    } finally {
      this.#passEnd();
      const flushed = !this.outlivesEnd && this.allSent;
      if (flushed || this.hasEnded) this.destroy(LOST, null);
    }
  }

  /** @internal The socket is closed: nobody shall take a part for the whole. */
  protected endRoutes(): void {
    const route = this.#route;
    const feeder = this.#feeder;
    route?.pipe.destroy();
    if (route !== null && !this.readEnded) route.to.reset();
    if (feeder !== null && !feeder.readEnded) feeder.reset();
  }

  /** @internal The user ends it, or a splice does. */
  protected override get outlivesEnd(): boolean {
    return this.shared.handlers.end !== undefined || this.#route !== null;
  }

  /** @internal Whether bytes pass that the user does not see. */
  protected get routed(): boolean {
    return this.#route !== null || this.#feeder !== null;
  }

  /** Closes with an RST, so that no TIME_WAIT stays behind. */
  abstract reset(): void;

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
    return this.shared.readsWhole && !readsShort(this.event);
  }

  /** Why there can be no route to `to`; null if there can. */
  #noRoute(to: ReceivingSocket): string | null {
    if (to === this) return "they are the same";
    if (to.shared.parts !== this.shared.parts) return "their engines differ";
    if (this.stage !== OPEN || to.stage !== OPEN) return "one is not open";
    if (this.readEnded || to.ending) return "one has ended";
    if (this.#route !== null || to.#feeder !== null) return "one is spliced";
    return null;
  }

  /** `receive` into a pipe, and out of it. */
  #forward(route: Route): void {
    const { to, pipe } = route;
    const event = this.event;
    let left = READ_BUDGET_BYTES;
    if (this.activity !== null) this.activity.received();
    while (this.reading && pipe.sent) {
      if (left <= 0) return readAgain(event);
      const count = pipe.fill(event.fd);
      if (count > 0) {
        left -= count;
        to.sendPiece(pipe);
      } else if (count === 0) {
        this.endReading();
      } else if (count === -EAGAIN) {
        event.readReady = false;
        return;
      } else if (count !== -EINTR) {
        this.fail("splice", -count);
      }
    }
    if (this.closed || pipe.sent) return;
    route.waits = true;
    event.blockRead();
  }

  /** The pipe is empty. */
  #goOn(): void {
    const route = this.#route;
    if (route === null || !route.waits) return;
    route.waits = false;
    this.startReading();
  }

  /** After the last bytes: the pipe is empty when an end is read. */
  #passEnd(): void {
    const to = this.#route?.to;
    if (to !== undefined && to.stage === OPEN && !to.ending) to.end();
  }
}
