/**
 * HTTP/1.1 on one connection: requests one after the other, and their answers in
 * the same order.
 */
import type { Connection, Engine, Timer } from "../../mod.ts";
import { close } from "../../ffi/mod.ts";
import { Answer, type ConnectionField, readClock } from "./answer.ts";
import type { Output } from "./output.ts";
import type { HttpRequest } from "./request.ts";
import { COMPLETE, MORE, NONE, RequestParser } from "./request_parser.ts";

const NOTHING = new Uint8Array(0);
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Answers a request before it returns, by one call of `exchange.send`. */
export type Handler = (request: HttpRequest, exchange: Exchange) => void;

/** How long a server waits for its clients, in milliseconds. */
export interface HttpLimits {
  /** A connection on which nothing has happened for so long is closed. */
  readonly idleTimeoutMs: number;
  /** How long a request may take to come, from its first byte on. */
  readonly requestTimeoutMs: number;
  /** How long a connection that is ended waits for the client to end it, too. */
  readonly lingerMs: number;
}

/** What all connections of a server share. */
export interface Service {
  readonly engine: Engine;
  readonly limits: HttpLimits;
  readonly handler: Handler;
  readonly output: Output;
  /** Whether each connection is to be ended by its next answer. */
  isClosing(): boolean;
}

/** One connection's requests and answers. */
export class Exchange {
  readonly #service: Service;
  readonly #connection: Connection;
  readonly #parser = new RequestParser();
  /** What of a large body the connection has not accepted yet. */
  #rest: Uint8Array | null = null;
  /** The client has to read before there is another answer. */
  #stalled = false;
  #answered = true;
  /** The last answer is sent, or will be: nothing that comes now matters. */
  #ended = false;
  #deadline: Timer | null = null;

  constructor(service: Service, connection: Connection) {
    this.#service = service;
    this.#connection = connection;
  }

  /** Sends the answer to the request. */
  send(answer: Answer): void {
    const connection = this.#begin();
    const hasBody = this.#parser.request.method !== "HEAD";
    const whole = connection === "" && hasBody ? answer.whole() : null;
    if (whole !== null) return this.#put(whole);
    this.#put(answer.head(connection));
    if (hasBody) this.#put(answer.body);
  }

  /**
   * Sends a part of a file as the body, after the head of an answer that has its
   * length as `Content-Length`. Closes the descriptor.
   */
  sendFile(answer: Answer, fd: number, offset: number, length: number): void {
    this.#put(answer.head(this.#begin()));
    if (this.#parser.request.method === "HEAD" || length === 0) {
      close(fd);
      return;
    }
    this.#service.output.flush(this.#connection);
    const part = { offset, length, close: true };
    this.#stalled = !this.#connection.sendFile(fd, part);
  }

  /** Bytes have come. */
  receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#parser.feed(chunk);
    this.#goOn();
  }

  /** The client has read what was buffered. */
  drained(): void {
    const rest = this.#rest;
    this.#rest = null;
    this.#stalled = false;
    if (rest !== null) this.#put(rest);
    if (this.#ended) this.#flush();
    else this.receive(NOTHING);
    if (!this.#stalled) this.#connection.resume();
  }

  /** The connection is closed. */
  close(): void {
    this.#deadline?.cancel();
    this.#parser.close();
  }

  /** Answers what has come, as long as the client reads. */
  #goOn(): void {
    readClock(this.#service.engine);
    let result = COMPLETE;
    while (result === COMPLETE && !this.#ended && !this.#stalled) {
      result = this.#parser.next();
      if (result === COMPLETE) this.#answer();
    }
    if (result === NONE) this.#flush();
    else this.#leave(result);
  }

  /** Not all that has come is answered. */
  #leave(result: number): void {
    if (result === MORE) {
      if (this.#parser.expectsContinue) this.#put(CONTINUE);
    } else if (result !== COMPLETE) this.#refuse(result);
    this.#parser.keep();
    this.#flush();
    const waits = result === MORE && !this.#stalled;
    if (waits && this.#deadline === null) {
      this.#setDeadline(this.#service.limits.requestTimeoutMs);
    }
  }

  /** An answer begins. Returns what it says of the connection. */
  #begin(): ConnectionField {
    if (this.#answered) throw new Error("Cannot answer: it was answered");
    this.#answered = true;
    const { keepAlive, minorVersion } = this.#parser.request;
    this.#ended = !keepAlive || this.#service.isClosing();
    if (this.#ended) return "close";
    return minorVersion === 0 ? "keep-alive" : "";
  }

  #answer(): void {
    if (this.#deadline !== null) this.#setDeadline(0);
    this.#answered = false;
    try {
      this.#service.handler(this.#parser.request, this);
      if (!this.#answered) throw new Error("The handler has not answered");
    } catch (error) {
      console.error(error);
      if (!this.#answered) return this.#refuse(500);
      // An answer that has begun can't be taken back.
      this.#ended = true;
      this.#connection.reset();
    }
  }

  /** Answers what is no request, or none that is served, and ends. */
  #refuse(status: number): void {
    const answer = Answer.status(status);
    this.#ended = true;
    this.#put(answer.head("close"));
    this.#put(answer.body);
  }

  /** Sends what has been put together. */
  #flush(): void {
    if (this.#service.output.flush(this.#connection)) this.#stalled = true;
    if (this.#ended) this.#end();
    else if (this.#stalled) this.#connection.pause();
  }

  /** Ends the connection, once the client has got all. */
  #end(): void {
    if (this.#stalled || this.#connection.closed) return;
    this.#connection.end();
    // A client that is still sending would not read the answer after a reset.
    this.#setDeadline(this.#service.limits.lingerMs);
  }

  #late(): void {
    this.#deadline = null;
    if (this.#ended) return this.#connection.close();
    readClock(this.#service.engine);
    this.#refuse(408);
    this.#flush();
  }

  /** Within so many milliseconds; 0 for no limit. */
  #setDeadline(timeoutMs: number): void {
    this.#deadline?.cancel();
    this.#deadline = timeoutMs === 0
      ? null
      : this.#service.engine.timer(timeoutMs, () => this.#late());
  }

  #put(bytes: Uint8Array): void {
    const { output } = this.#service;
    if (output.put(bytes)) return;
    this.#rest = output.putLarge(this.#connection, bytes);
    this.#stalled = this.#rest !== null || this.#connection.bufferedBytes > 0;
  }
}
