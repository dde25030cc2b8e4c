/**
 * TCP sockets of the loopback address, where everything arrives at once: what
 * the peer's buffer has no room for waits at the sender's.
 */
import {
  ECONNREFUSED,
  ECONNRESET,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EPIPE,
} from "../../ffi/errno_codes.ts";
import { EALREADY, ETIMEDOUT } from "../../ffi/errno_codes.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  EPOLLRDNORM,
  EPOLLWRNORM,
} from "../../ffi/constants.ts";
import {
  MSG_DONTWAIT,
  MSG_PEEK,
  SOCK_STREAM,
} from "../../ffi/constants_socket.ts";
import type { SocketAddress } from "../../ffi/sockaddr.ts";
import type { Bytes } from "../../ffi/system_calls.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { Alarm } from "./clock.ts";
import { EVERYBODY, SimulationError } from "./open_file.ts";
import {
  BACKLOG_MAX,
  DATA_KEY,
  ROOM_KEY,
  SHUT_BOTH,
  SHUT_RECEIVE,
  SHUT_SEND,
  Socket,
} from "./socket.ts";

type State = "new" | "listening" | "connecting" | "established" | "closed";

/** Milliseconds until a SYN without an answer is sent again; doubled each time. */
const RETRY_MS = 1_000;
const RETRIES_MAX = 6;

/** A TCP socket. */
export class TcpStream extends Socket {
  #state: State = "new";
  #peer: TcpStream | null = null;
  readonly #received = new ByteQueue();
  /** What the peer's buffer has no room for. */
  readonly #unsent = new ByteQueue();
  /** Whether the FIN stands behind what is unsent; whether it has gone. */
  #ending = false;
  #finSent = false;
  #finReceived = false;
  /** Somebody met a full buffer and waits to be told of room. */
  #noRoom = false;
  /** Whether connect(2) has not told of the outcome yet. */
  #outcomeDue = false;
  #retry: Alarm | null = null;
  #released = false;
  /** Of a listener. */
  readonly #backlog: TcpStream[] = [];
  #backlogMax = 0;

  override get listening(): boolean {
    return this.#state === "listening";
  }

  get #writable(): boolean {
    const used = this.#unsent.length;
    return this.sendMax - used >= Math.max(1, used >> 1);
  }

  override poll(): number {
    if (this.listening) {
      return this.#backlog.length > 0 ? EPOLLIN | EPOLLRDNORM : 0;
    }
    let bits = this.error === 0 ? 0 : EPOLLERR;
    const { shut } = this;
    const unconnected = this.#state === "new" || this.#state === "closed";
    if (shut === SHUT_BOTH || unconnected) bits |= EPOLLHUP;
    if ((shut & SHUT_RECEIVE) !== 0) bits |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (this.#state === "connecting") return bits;
    if (this.#received.length > 0) bits |= EPOLLIN | EPOLLRDNORM;
    if ((shut & SHUT_SEND) !== 0 || this.#writable) {
      bits |= EPOLLOUT | EPOLLWRNORM;
    } else this.#noRoom = true;
    return bits;
  }

  override listen(backlog: number): number {
    if (this.#state !== "new" && !this.listening) return -EINVAL;
    if (!this.bound) {
      const result = this.bind(this.local);
      if (result < 0) return result;
    }
    this.#backlogMax = Math.min(backlog >>> 0, BACKLOG_MAX);
    this.#state = "listening";
    return 0;
  }

  override connect(address: SocketAddress): number {
    switch (this.#state) {
      case "listening":
        return -EISCONN;
      case "connecting":
        return -EALREADY;
      case "established":
        if (!this.#outcomeDue) return -EISCONN;
        this.#outcomeDue = false;
        return 0;
      case "closed":
        if (this.error !== 0) return -this.takeError();
        throw new SimulationError("Connecting again is not simulated");
    }
    this.remote = address;
    this.#outcomeDue = true;
    this.#state = "connecting";
    if (!this.bound && "port" in address) {
      this.bind({ ...address, port: 0 });
    }
    this.#knock(RETRY_MS, 0);
    if (this.nonblocking) return -EINPROGRESS;
    this.#outcomeDue = false;
    if (this.#state as State === "connecting") return this.wouldBlock();
    return -this.takeError();
  }

  /** Sends the SYN. A full backlog drops it. */
  #knock(retryMs: number, retries: number): void {
    this.#retry = null;
    const address = this.remote as SocketAddress;
    const listeners = this.network.find(SOCK_STREAM, address)
      .filter((one) => one instanceof TcpStream && one.listening);
    const listener = listeners[this.network.choose(listeners.length)];
    if (!(listener instanceof TcpStream)) return this.#fail(ECONNREFUSED);
    if (listener.#backlog.length <= listener.#backlogMax) {
      return this.#establish(listener, address);
    }
    if (retries === RETRIES_MAX) return this.#fail(ETIMEDOUT);
    const { clock } = this.network;
    this.#retry = clock.set(
      clock.after(retryMs),
      () => this.#knock(2 * retryMs, retries + 1),
    );
  }

  #establish(listener: TcpStream, address: SocketAddress): void {
    const accepted = new TcpStream(
      this.network,
      this.family,
      SOCK_STREAM,
      false,
    );
    accepted.sendMax = listener.sendMax;
    accepted.receiveMax = listener.receiveMax;
    accepted.local = address;
    accepted.remote = this.local;
    accepted.#peer = this;
    accepted.#state = "established";
    this.#peer = accepted;
    this.#state = "established";
    this.wake(EVERYBODY);
    listener.#backlog.push(accepted);
    listener.wake(DATA_KEY);
  }

  override accept(): TcpStream | number {
    if (!this.listening) return -EINVAL;
    return this.#backlog.shift() ?? this.wouldBlock();
  }

  override send(bytes: Bytes, flags: number): number {
    if (this.error !== 0) return -this.takeError();
    const wait = () =>
      this.wouldBlock(this.nonblocking || (flags & MSG_DONTWAIT) !== 0);
    if (this.#state === "connecting") return wait();
    if (this.#state !== "established") return -EPIPE;
    if ((this.shut & SHUT_SEND) !== 0) return -EPIPE;
    let sent = 0;
    while (sent < bytes.length && this.#state === "established") {
      const room = this.sendMax - this.#unsent.length;
      if (room <= 0) break;
      const part = bytes.subarray(sent, sent + room);
      this.#unsent.push(part);
      sent += part.length;
      this.transmit();
    }
    if (sent > 0 || bytes.length === 0) return sent;
    this.#noRoom = true;
    return wait();
  }

  /** Moves what the peer has room for, and then the FIN. */
  transmit(): void {
    const peer = this.#peer;
    if (peer === null || this.#finSent) return;
    if (this.#unsent.length > 0 && peer.#refusesData) {
      peer.#abort();
      return this.resetByPeer();
    }
    const room = peer.receiveMax - peer.#received.length;
    if (this.#unsent.moveTo(peer.#received, room) > 0) peer.wake(DATA_KEY);
    if (this.#unsent.length === 0 && this.#ending) {
      this.#finSent = true;
      peer.#finArrives();
      this.#closeIfOver();
    }
    if (this.#noRoom && this.#writable) {
      this.#noRoom = false;
      this.wake(ROOM_KEY);
    }
  }

  /** Nobody will read here any more: data is answered with an RST. */
  get #refusesData(): boolean {
    if (this.#released || this.#state === "closed") return true;
    return this.#ending && (this.shut & SHUT_RECEIVE) !== 0 &&
      !this.#finReceived;
  }

  #finArrives(): void {
    this.#finReceived = true;
    this.shut |= SHUT_RECEIVE;
    this.#closeIfOver();
    this.wake(EVERYBODY);
  }

  /** Both sides have ended. */
  #closeIfOver(): void {
    if (!this.#finSent || !this.#finReceived) return;
    this.#state = "closed";
    this.shut = SHUT_BOTH;
    this.wake(EVERYBODY);
  }

  override recv(buffer: Bytes, flags: number): number {
    if (this.listening) return -ENOTCONN;
    const count = this.#received.take(buffer, (flags & MSG_PEEK) !== 0);
    if (count > 0) {
      if ((flags & MSG_PEEK) === 0) this.#peer?.transmit();
      return count;
    }
    if (this.#finReceived) return 0;
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SHUT_RECEIVE) !== 0) return 0;
    if (this.#state === "new") return -ENOTCONN;
    return this.wouldBlock(this.nonblocking || (flags & MSG_DONTWAIT) !== 0);
  }

  override shutdown(how: number): number {
    const bits = how + 1;
    if (bits < 1 || bits > SHUT_BOTH) return -EINVAL;
    let result = 0;
    switch (this.#state) {
      case "new":
      case "closed":
        this.shut |= bits;
        result = -ENOTCONN;
        break;
      case "listening":
        if ((bits & SHUT_RECEIVE) !== 0) this.#stopListening();
        break;
      case "connecting":
        this.#stopKnocking();
        this.#state = "closed";
        break;
      case "established":
        this.shut |= bits;
        if ((bits & SHUT_SEND) !== 0) this.#end();
    }
    this.wake(EVERYBODY);
    return result;
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.transmit();
  }

  override release(): void {
    super.release();
    if (this.listening) return this.#stopListening();
    this.#stopKnocking();
    const unread = this.#received.length > 0;
    this.#released = true;
    if (this.#state !== "established") return;
    if (unread || this.lingersNot) {
      this.#state = "closed";
      this.#peer?.resetByPeer();
    } else this.#end();
  }

  /** What waits to be accepted is turned away. */
  #stopListening(): void {
    this.#state = "new";
    for (const waiting of this.#backlog.splice(0)) {
      waiting.#released = true;
      if (waiting.#state !== "established") continue;
      waiting.#state = "closed";
      waiting.#peer?.resetByPeer();
    }
  }

  #stopKnocking(): void {
    if (this.#retry !== null) this.network.clock.cancel(this.#retry);
    this.#retry = null;
  }

  /** Breaks the connection, as an injected fault: both sides see an RST. */
  reset(): void {
    const peer = this.#peer;
    this.resetByPeer();
    peer?.resetByPeer();
  }

  /** Sends an RST in answer, and is gone itself. */
  #abort(): void {
    if (!this.#released) this.resetByPeer();
    this.#state = "closed";
  }

  resetByPeer(): void {
    if (this.#state === "closed") return;
    this.#fail(this.#finReceived ? EPIPE : ECONNRESET);
  }

  #fail(error: number): void {
    this.error = error;
    this.#state = "closed";
    this.shut = SHUT_BOTH;
    this.#unsent.clear();
    this.wake(EVERYBODY);
  }
}
