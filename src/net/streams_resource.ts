/**
 * What listeners and connections of streams have in common: a descriptor with
 * operations that wait for it.
 *
 * @module
 */

import type { SystemError } from "../../ffi/mod.ts";
import { FdEvent } from "../fd_event.ts";
import type { OwnHandlers } from "../fd_handlers.ts";
import { streamRules, triggerRules } from "../trigger.ts";
import { Presence } from "./streams_attendance.ts";
import type { StreamHost } from "./streams_host.ts";
import type { Referable } from "./streams_types.ts";

/** Whom a descriptor's events are told to. */
export interface EventOwner {
  /** There may be something to read. */
  canRead(): void;
  /** There may be room to write. */
  canWrite(): void;
  /** ERR or HUP alone, or a change that the kernel refused. */
  hungUp(error: SystemError | null): void;
  close(): void;
}

const EVENTS: OwnHandlers = {
  owner: "Conn",
  read: (event) => (event.data as EventOwner).canRead(),
  write: (event) => (event.data as EventOwner).canWrite(),
  error: (event, error) => (event.data as EventOwner).hungUp(error),
  engineClosed: (event) => (event.data as EventOwner).close(),
};

const LISTENER_EVENTS: OwnHandlers = { ...EVENTS, owner: "Listener" };

const LISTENER_RULES = triggerRules("edge");
const RULES = streamRules(LISTENER_RULES);

/** Takes a stream socket into the engine: in the kernel once it is enabled. */
export function socketEvent({ parts }: StreamHost, fd: number): FdEvent {
  return registered(new FdEvent(fd, EVENTS, parts, RULES));
}

/** The same for a listening socket. */
export function listenerEvent({ parts }: StreamHost, fd: number): FdEvent {
  return registered(new FdEvent(fd, LISTENER_EVENTS, parts, LISTENER_RULES));
}

function registered(event: FdEvent): FdEvent {
  event.parts.registry.add(event);
  return event;
}

/** A listener or a connection. */
export abstract class StreamResource
  implements EventOwner, Referable, Disposable, AsyncDisposable {
  // Hidden from whoever prints it, as in Deno.
  readonly #host: StreamHost;
  readonly #event: FdEvent;
  readonly #presence: Presence;

  /** Becomes the owner of an event. */
  constructor(host: StreamHost, event: FdEvent) {
    this.#host = host;
    this.#event = event;
    this.#presence = new Presence(host.attendance);
    event.data = this;
  }

  protected get host(): StreamHost {
    return this.#host;
  }

  protected get event(): FdEvent {
    return this.#event;
  }

  protected get presence(): Presence {
    return this.#presence;
  }

  close(): void {
    if (this.#event.closed) return;
    this.#event.close();
    this.closed();
    this.#presence.closed();
  }

  ref(): void {
    this.#presence.ref();
  }

  unref(): void {
    this.#presence.unref();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  abstract canRead(): void;
  abstract canWrite(): void;
  abstract hungUp(error: SystemError | null): void;

  /** The descriptor is gone: what waits has failed. */
  protected abstract closed(): void;
}
