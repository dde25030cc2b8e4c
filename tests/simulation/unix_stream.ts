/** Unix stream sockets: what is sent stands in the peer's queue at once. */
import {
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  ENOENT,
  ENOTCONN,
  EPIPE,
  EPROTOTYPE,
} from "../../ffi/errno_codes.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLRDHUP,
  EPOLLRDNORM,
} from "../../ffi/constants.ts";
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_PEEK,
  SOCK_STREAM,
} from "../../ffi/constants_socket.ts";
import type { SocketAddress } from "../../ffi/sockaddr.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import type { Network } from "./network.ts";
import { EVERYBODY } from "./open_file.ts";
import {
  BACKLOG_MAX,
  DATA_KEY,
  ROOM_KEY,
  SHUT_BOTH,
  SHUT_RECEIVE,
  SHUT_SEND,
  Socket,
} from "./socket.ts";
import { pieceMax, trueSize } from "./socket_memory.ts";

/** Bytes that were sent at once. */
interface Piece {
  bytes: Uint8Array;
  /** Memory that is charged to the sender. */
  readonly size: number;
}

type State = "closed" | "listening" | "connected";

/** A unix stream socket. */
export class UnixStream extends Socket {
  #state: State = "closed";
  #peer: UnixStream | null = null;
  /** Memory of what was sent from here and not read yet. */
  #charged = 0;
  #received: Piece[] = [];
  /** Of a listener. */
  readonly #backlog: UnixStream[] = [];
  #backlogMax = 0;
  /** Whether accept4 has given it to somebody. */
  #accepted = true;

  constructor(network: Network, nonblocking: boolean) {
    super(network, AF_UNIX, SOCK_STREAM, nonblocking);
  }

  override get listening(): boolean {
    return this.#state === "listening";
  }

  get #writable(): boolean {
    return !this.listening && this.#charged * 4 <= this.sendMax;
  }

  override poll(): number {
    let bits = 0;
    if (this.error !== 0) bits |= EPOLLERR;
    if (this.shut === SHUT_BOTH) bits |= EPOLLHUP;
    if ((this.shut & SHUT_RECEIVE) !== 0) {
      bits |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
    }
    if (this.#received.length + this.#backlog.length > 0) {
      bits |= EPOLLIN | EPOLLRDNORM;
    }
    if (this.#state === "closed") bits |= EPOLLHUP;
    if (this.#writable) bits |= ROOM_KEY;
    return bits;
  }

  override listen(backlog: number): number {
    if (!this.bound || this.#state === "connected") return -EINVAL;
    this.#backlogMax = Math.min(backlog >>> 0, BACKLOG_MAX);
    this.#state = "listening";
    return 0;
  }

  override connect(address: SocketAddress): number {
    if (this.#state === "connected") return -EISCONN;
    if (this.#state === "listening") return -EINVAL;
    const [listener] = this.network.find(SOCK_STREAM, address);
    if (listener === undefined) {
      return address.family === "unix" ? -ENOENT : -ECONNREFUSED;
    }
    if (!(listener instanceof UnixStream)) return -EPROTOTYPE;
    if (!listener.listening || (listener.shut & SHUT_RECEIVE) !== 0) {
      return -ECONNREFUSED;
    }
    if (listener.#backlog.length > listener.#backlogMax) {
      return this.wouldBlock();
    }
    const accepted = new UnixStream(this.network, false);
    accepted.#accepted = false;
    this.#join(accepted);
    accepted.#join(this);
    this.remote = accepted.local = listener.local;
    accepted.remote = this.local;
    listener.#backlog.push(accepted);
    listener.wake(DATA_KEY);
    return 0;
  }

  #join(peer: UnixStream): void {
    this.#peer = peer;
    this.#state = "connected";
  }

  override accept(): UnixStream | number {
    if (!this.listening) return -EINVAL;
    const next = this.#backlog.shift();
    if (next === undefined) return this.wouldBlock();
    next.#accepted = true;
    return next;
  }

  override send(bytes: Bytes, flags: number): number {
    const peer = this.#peer;
    if (peer === null) return -ENOTCONN;
    if ((this.shut & SHUT_SEND) !== 0) return -EPIPE;
    let sent = 0;
    while (sent < bytes.length) {
      const failure = this.#cannotSend(flags);
      if (failure < 0) return sent > 0 ? sent : failure;
      const length = pieceMax(this.sendMax);
      const piece = new Uint8Array(bytes.subarray(sent, sent + length));
      const size = trueSize(piece.length);
      peer.#received.push({ bytes: piece, size });
      this.#charged += size;
      sent += piece.length;
      peer.wake(DATA_KEY);
    }
    return sent;
  }

  #cannotSend(flags: number): number {
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SHUT_SEND) !== 0) return -EPIPE;
    if (this.#charged < this.sendMax) return 0;
    return this.wouldBlock(this.nonblocking || (flags & MSG_DONTWAIT) !== 0);
  }

  override recv(buffer: Bytes, flags: number): number {
    if (this.#state !== "connected") return -EINVAL;
    const peek = (flags & MSG_PEEK) !== 0;
    let count = 0;
    let freed = 0;
    for (const piece of this.#received) {
      const part = piece.bytes.subarray(0, buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      if (part.length < piece.bytes.length) {
        if (!peek) piece.bytes = piece.bytes.subarray(part.length);
        break;
      }
      freed++;
      if (count === buffer.length) break;
    }
    if (count > 0) {
      if (!peek) this.#free(freed);
      return count;
    }
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SHUT_RECEIVE) !== 0) return 0;
    return this.wouldBlock(this.nonblocking || (flags & MSG_DONTWAIT) !== 0);
  }

  /** Pieces have been read whole: each tells its sender of room. */
  #free(count: number): void {
    const peer = this.#peer;
    for (const { size } of this.#received.splice(0, count)) {
      if (peer === null) continue;
      peer.#charged -= size;
      if (peer.#writable) peer.wake(ROOM_KEY);
    }
  }

  override shutdown(how: number): number {
    const bits = how + 1;
    if (bits < 1 || bits > SHUT_BOTH) return -EINVAL;
    this.shut |= bits;
    this.wake(EVERYBODY);
    const peer = this.#peer;
    if (peer !== null) {
      if ((bits & SHUT_RECEIVE) !== 0) peer.shut |= SHUT_SEND;
      if ((bits & SHUT_SEND) !== 0) peer.shut |= SHUT_RECEIVE;
      peer.wake(EVERYBODY);
    }
    return 0;
  }

  override release(): void {
    super.release();
    const peer = this.#peer;
    this.#state = "closed";
    this.shut = SHUT_BOTH;
    if (peer !== null) {
      peer.shut = SHUT_BOTH;
      if (this.#received.length > 0 || !this.#accepted) {
        peer.error = ECONNRESET;
      }
      peer.wake(EVERYBODY);
      this.#free(this.#received.length);
    }
    for (const waiting of this.#backlog.splice(0)) waiting.release();
  }

  /** Breaks the connection, as an injected fault. */
  reset(): void {
    for (const end of [this, this.#peer]) {
      if (end === null) continue;
      end.error = ECONNRESET;
      end.shut = SHUT_BOTH;
      end.wake(EVERYBODY);
    }
  }
}
