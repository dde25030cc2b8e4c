/** One connection of a soak's clients, by bare system calls, with a character of its own. */
import {
  AF_INET,
  check,
  close,
  connect,
  EAGAIN,
  EINPROGRESS,
  encodeAddress,
  EPOLLIN,
  EPOLLOUT,
  errnoName,
  IPPROTO_TCP,
  MSG_NOSIGNAL,
  recv,
  send,
  setsockopt,
  SHUT_WR,
  shutdown,
  SO_LINGER,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  socket,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../ffi/mod.ts";
import { loopback, optionValue } from "../support/net_peer.ts";
import type { Target } from "./reports.ts";
import { isStreamBytes, streamBytes } from "../support/stream_bytes.ts";

const buffer = new Uint8Array(65536);

/** What a client does. */
interface Character {
  /** Bytes that it sends in all. */
  total: number;
  /** Bytes that it sends, and takes, in one go. */
  piece: number;
  /** How long it rests between two reads. */
  restMs: number;
  /** Bytes had back after which it resets; Infinity: it ends as it should. */
  resetAfter: number;
  /** How long it stays when all is back. */
  lingerMs: number;
}

const plain = { restMs: 0, resetAfter: Infinity, lingerMs: 0 };

/** Characters by seeded choice. */
function choose(random: (bound: number) => number): Character {
  const size = 1 + random(4000);
  switch (random(12)) {
    case 0: // Goes at once.
      return { ...plain, total: 0, piece: 1 };
    case 1: // One byte at a time.
      return { ...plain, total: 1 + random(200), piece: 1 };
    case 2: // Reads slowly.
      return { ...plain, total: 50_000, piece: 4096, restMs: 1 + random(20) };
    case 3: // Floods.
      return { ...plain, total: 1_000_000, piece: 65536 };
    case 4: // Floods, and takes its time to read.
      return { ...plain, total: 300_000, piece: 65536, restMs: 1 + random(50) };
    case 5: // Is gone in the middle.
      return { ...plain, total: size, piece: 512, resetAfter: random(size) };
    case 6: // Is gone with much on its way.
      return {
        ...plain,
        total: 500_000,
        piece: 65536,
        resetAfter: random(9999),
      };
    case 7: // Stays.
      return { ...plain, total: size, piece: size, lingerMs: random(2000) };
    default:
      return { ...plain, total: size, piece: 1 + random(size) };
  }
}

/** What has become of a client. */
export type Outcome = "open" | "exact" | "reset" | "cut off" | "no port";

/** A connection. */
export class Client {
  readonly fd: number;
  outcome: Outcome = "open";
  /** What a server did that it must not do. */
  violation: string | null = null;
  received = 0;
  /** When it goes on; 0: it does not rest. */
  restsUntilMs = 0;

  readonly #target: Target;
  readonly #stream: number;
  readonly #character: Character;
  #sent = 0;
  #ended = false;

  constructor(
    target: Target,
    stream: number,
    random: (bound: number) => number,
  ) {
    this.#target = target;
    this.#stream = stream;
    this.#character = choose(random);
    const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.fd = check(socket(AF_INET, type, 0), "socket");
    if (this.#character.restMs > 0) {
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, optionValue(8192));
    }
    setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, optionValue(1));
    const result = connect(this.fd, encodeAddress(loopback(target.port)));
    if (result < 0 && result !== -EINPROGRESS) this.#finish("no port");
  }

  /** What it waits for: a mask of epoll. */
  get wants(): number {
    if (this.restsUntilMs > 0) return 0;
    return this.#ended ? EPOLLIN : EPOLLIN | EPOLLOUT;
  }

  /** The kernel has something, or its rest is over. */
  ready(mask: number, nowMs: number): void {
    this.restsUntilMs = 0;
    if ((mask & ~EPOLLOUT) !== 0) this.#receive(nowMs);
    if ((mask & EPOLLOUT) !== 0 && this.outcome === "open") this.#send();
  }

  /** Goes, whatever it was about to do. */
  close(): void {
    if (this.outcome === "open") this.#finish("reset");
  }

  #send(): void {
    const { total, piece, lingerMs } = this.#character;
    if (this.#sent < total) {
      const length = Math.min(total - this.#sent, piece);
      const bytes = streamBytes(this.#stream, this.#sent, length);
      const count = send(this.fd, bytes, MSG_NOSIGNAL);
      if (count >= 0) this.#sent += count;
      else if (count !== -EAGAIN) return this.#broken(errnoName(count));
    }
    if (this.#sent < total || this.#ended) return;
    if (lingerMs > 0 && this.received < total) return;
    this.#ended = true;
    shutdown(this.fd, SHUT_WR);
  }

  #receive(nowMs: number): void {
    const { total, restMs, resetAfter, lingerMs } = this.#character;
    const count = recv(this.fd, buffer, 0);
    if (count === -EAGAIN) return;
    if (count < 0) return this.#broken(errnoName(count));
    if (count === 0) {
      if (this.#ended && this.received === total) this.#finish("exact");
      else this.#broken("the end");
      return;
    }
    const chunk = buffer.subarray(0, count);
    if (!isStreamBytes(this.#stream, this.received, chunk)) {
      this.violation =
        `Stream ${this.#stream}: other bytes at ${this.received}`;
    }
    this.received += count;
    if (this.received > resetAfter) return this.#finish("reset");
    if (restMs > 0) this.restsUntilMs = nowMs + restMs;
    if (lingerMs > 0 && this.received === total) {
      this.restsUntilMs = nowMs + lingerMs;
    }
  }

  /** The server has ended the connection before its time. */
  #broken(by: string): void {
    if (this.#target.strict) {
      this.violation =
        `Stream ${this.#stream}: ${by} after ${this.received} of ${this.#character.total} bytes`;
    }
    this.#finish("cut off");
  }

  #finish(outcome: Outcome): void {
    this.outcome = outcome;
    if (outcome === "reset") {
      setsockopt(this.fd, SOL_SOCKET, SO_LINGER, optionValue(1, 0));
    }
    close(this.fd);
  }
}
