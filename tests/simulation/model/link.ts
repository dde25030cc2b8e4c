/**
 * One connection beside what its user may expect: the order of its callbacks,
 * its bytes, its buffer, and what it is still owed.
 */
import { type Connection, SystemError } from "../../../mod.ts";
import type { Callback, UserStep } from "./connection_steps.ts";
import type { RawPeer } from "./raw_peer.ts";
import { isStreamBytes, streamBytes } from "../../support/stream_bytes.ts";
import { expect, Violation } from "./violation.ts";

/** `o`pen, `d`ata, d`r`ain, `t`imeout, `e`nd, error (`x`), `c`lose. */
export type Letter = "o" | "d" | "r" | "t" | "e" | "x" | "c";

/** What may have been called so far. */
const ORDER = /^(o[drt]*(e[rt]*)?)?x?c?$/;
/** May be called again and again. */
const REPEATED = "drt";

/** A connection and the model of it. */
export class Link {
  connection: Connection | null = null;
  /** The callbacks in order, runs of the same one as one. */
  log = "";
  accepted = 0;
  received = 0;
  paused = false;
  /** By its user. */
  ended = false;
  closed = false;
  owesDrain = false;
  /** Whether bytes given at the end may be over the limit, or dropped. */
  overfull = false;
  uncertain = false;
  readonly scripts: Partial<Record<Callback, UserStep[][]>> = {};
  #timeoutMs = Infinity;
  #timeoutSetMs = 0;

  /** Without a peer it is not known whose connection it is. */
  constructor(
    readonly stream: number,
    readonly peer: RawPeer | null,
    readonly bufferMax: number,
    readonly hasEnd: boolean,
  ) {}

  /** Whether the last callback has been called. */
  get done(): boolean {
    return this.log.endsWith("c");
  }

  get open(): boolean {
    return this.log.startsWith("o") && this.connection?.closed === false;
  }

  /** Whether there is nothing more to come, for its peer neither. */
  get over(): boolean {
    const toldLast = this.done || this.connection === null;
    return toldLast && (this.peer?.closed ?? true);
  }

  /** Whether it is open, and both sides are there. */
  get healthy(): boolean {
    const { peer } = this;
    return this.open && peer !== null && !peer.closed && !peer.failed;
  }

  /** Whether it has come to its end by itself, with nothing to be lost. */
  get graceful(): boolean {
    const { peer } = this;
    const opened = this.log.startsWith("o") && !this.log.includes("x");
    return opened && !this.closed && !this.uncertain && peer !== null &&
      !peer.broke && !peer.failed;
  }

  /** A callback is called. */
  called(letter: Letter): void {
    const repeated = REPEATED.includes(letter) && this.log.endsWith(letter);
    const log = repeated ? this.log : this.log + letter;
    expect(ORDER.test(log), () => `link ${this.stream}: callbacks ${log}`);
    this.log = log;
    expect(
      !this.closed || letter === "c",
      () => `link ${this.stream}: ${letter} after close()`,
    );
    expect(
      !this.paused || !"de".includes(letter),
      () => `link ${this.stream}: ${letter} while paused`,
    );
  }

  /** Bytes have come. */
  data(chunk: Uint8Array): void {
    const { peer } = this;
    if (peer === null) return;
    expect(
      isStreamBytes(peer.stream, this.received, chunk),
      () => `link ${this.stream}: wrong bytes at ${this.received}`,
    );
    this.received += chunk.length;
    expect(
      this.received <= peer.sent,
      () => `link ${this.stream}: ${this.received} bytes of ${peer.sent}`,
    );
  }

  /** `drain` is called. */
  drained(): void {
    const left = this.connection?.bufferedBytes ?? 0;
    expect(left === 0, () => `link ${this.stream}: drain with ${left} bytes`);
    this.owesDrain = false;
  }

  /** `end` is called. */
  peerEnded(): void {
    const { peer } = this;
    if (peer === null || peer.broke) return;
    expect(
      peer.ended && this.received === peer.sent,
      () => `link ${this.stream}: end after ${this.received} of ${peer.sent}`,
    );
  }

  /** A timeout has passed. */
  timedOut(nowMs: number): void {
    const passedMs = nowMs - this.#timeoutSetMs;
    expect(
      passedMs >= this.#timeoutMs,
      () => `link ${this.stream}: ${this.#timeoutMs} ms after ${passedMs}`,
    );
  }

  /** It is another one's now, who begins anew. */
  handedOver(connection: Connection): void {
    this.connection = connection;
    this.log = "";
    this.paused = this.owesDrain = false;
    this.#timeoutMs = Infinity;
  }

  /** Does what a user does. `nowMs` is the time. */
  use(step: Exclude<UserStep, { do: "throw" }>, nowMs: number): void {
    const { connection } = this;
    if (connection === null) return;
    switch (step.do) {
      case "write":
        return this.#write(connection, [step.length]);
      case "writev":
        return this.#write(connection, step.lengths);
      case "end":
        return this.#end(connection, step.length);
      case "pause":
        if (!connection.closed) this.paused = true;
        return connection.pause();
      case "resume":
        this.paused = false;
        return connection.resume();
      case "close":
      case "reset":
        if (!connection.closed) this.closed = true;
        return connection[step.do]();
      case "timeout":
        this.#timeoutMs = step.ms;
        this.#timeoutSetMs = nowMs;
        return connection.timeout(step.ms);
    }
  }

  /** From here on it does nothing of its own accord but read. */
  calmDown(): void {
    for (const scripts of Object.values(this.scripts)) scripts.length = 0;
    this.paused = false;
    this.connection?.resume();
  }

  /** Both sides end, once all is sent, and the peer closes to leave room for others. */
  finish(): void {
    const { connection, peer } = this;
    peer?.end();
    if (connection !== null && this.open && !this.ended) {
      if (this.missing() !== null) return;
      this.ended = true;
      connection.end();
    }
    // One that was turned away, or lost with the listener, has no callbacks.
    const heardOut = peer?.sawEnd || peer?.failed;
    if (heardOut && (this.done || this.log === "")) peer?.close();
  }

  /** What holds at any time. */
  assertBounded(): void {
    const buffered = this.connection?.bufferedBytes ?? 0;
    expect(
      buffered <= this.bufferMax || this.overfull,
      () => `link ${this.stream}: ${buffered} bytes over ${this.bufferMax}`,
    );
    const received = this.peer?.received ?? 0;
    expect(
      received <= this.accepted || this.uncertain,
      () => `link ${this.stream}: sent ${received} of ${this.accepted} bytes`,
    );
  }

  /** What is still to come once both sides have read all they can; null: nothing. */
  missing(): string | null {
    const { peer, connection } = this;
    if (peer === null || connection === null || !this.healthy) return null;
    if (this.uncertain) return null;
    if (peer.received !== this.accepted) {
      return `sent ${peer.received} of ${this.accepted} bytes`;
    }
    if (!this.paused && this.received !== peer.sent) {
      return `received ${this.received} of ${peer.sent} bytes`;
    }
    return this.owesDrain && !this.ended && !this.#closesSoon
      ? "no drain"
      : null;
  }

  /** The last word on a connection that is closed. */
  assertWhole(): void {
    const { peer } = this;
    if (peer === null || !this.graceful) return;
    expect(
      peer.received === this.accepted && this.received === peer.sent,
      () =>
        `link ${this.stream}: closed with ${peer.received} of ${this.accepted} bytes sent and ${this.received} of ${peer.sent} received`,
    );
  }

  get #closesSoon(): boolean {
    return !this.hasEnd && (this.peer === null || this.peer.ended);
  }

  #write(connection: Connection, lengths: number[]): void {
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const chunks: Uint8Array[] = [];
    let at = this.accepted;
    for (const length of lengths) {
      chunks.push(streamBytes(this.stream, at, length));
      at += length;
    }
    const room = this.bufferMax - connection.bufferedBytes;
    const [only] = chunks;
    const count = this.#unlessEnded(
      connection,
      () =>
        chunks.length === 1 && only !== undefined
          ? connection.write(only)
          : connection.writev(chunks),
    );
    if (count === null) return;
    this.accepted += count;
    // What a failed write has sent before it failed is not told.
    if (connection.closed) this.uncertain = true;
    if (connection.closed || this.#closesSoon) return;
    expect(
      count <= total && count >= Math.min(total, room),
      () => `link ${this.stream}: took ${count} of ${total}, with ${room} free`,
    );
    if (count < total || connection.bufferedBytes > 0) this.owesDrain = true;
  }

  #end(connection: Connection, length: number): void {
    const bytes = streamBytes(this.stream, this.accepted, length);
    const lost = connection.closed;
    const ended = this.#unlessEnded(connection, () => {
      connection.end(bytes);
      return length;
    });
    if (ended === null) return;
    this.ended = true;
    this.overfull = true;
    // Whoever closes soon takes no more, and does not say so here.
    if (this.#closesSoon || lost || connection.closed) this.uncertain = true;
    this.accepted += length;
  }

  /** What `send` returns, or null: it must refuse after the end, and only then. */
  #unlessEnded(connection: Connection, send: () => number): number | null {
    const mayRefuse = this.ended || connection.closed;
    try {
      const count = send();
      if (this.ended) {
        throw new Violation(`link ${this.stream}: sent after end()`);
      }
      return count;
    } catch (error) {
      const refused = error instanceof SystemError && error.code === "EPIPE";
      if (!refused || !mayRefuse) throw error;
      return null;
    }
  }
}
