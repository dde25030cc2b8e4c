/** Whether the callbacks of connections come as promised. */
import type { Connection, ConnectionHandlers } from "../../mod.ts";

const NEW = 0;
const OPEN = 1;
const ENDED = 2;
const FAILED = 3;
const CLOSED = 4;

/**
 * Hands callbacks on, and notes each that comes out of order: `open` once and
 * first, `end` and `error` once at the most, `close` exactly once and last.
 */
export class CallbackWatch {
  opened = 0;
  failed = 0;
  /** Failed without having opened. */
  refused = 0;
  closed = 0;
  /** What went wrong. */
  readonly violations: string[] = [];
  readonly #name: string;
  readonly #stages = new WeakMap<Connection, number>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Opened, and not closed. */
  get live(): number {
    return this.opened + this.refused - this.closed;
  }

  /** Handlers that watch, and then do what `own` says. */
  handlers(own: ConnectionHandlers): ConnectionHandlers {
    const { end } = own;
    const handlers: ConnectionHandlers = {
      open: (connection) => {
        this.opened++;
        this.#move(connection, "open", NEW, NEW, OPEN);
        own.open?.(connection);
      },
      data: (connection, chunk) => {
        this.#move(connection, "data", OPEN, OPEN, OPEN);
        own.data?.(connection, chunk);
      },
      drain: (connection) => {
        const stage = this.#stage(connection);
        this.#move(connection, "drain", OPEN, ENDED, stage);
        own.drain?.(connection);
      },
      error: (connection, error) => {
        this.failed++;
        if (this.#stage(connection) === NEW) this.refused++;
        this.#move(connection, "error", NEW, ENDED, FAILED);
        own.error?.(connection, error);
      },
      close: (connection) => {
        this.closed++;
        this.#move(connection, "close", OPEN, FAILED, CLOSED);
        own.close?.(connection);
      },
    };
    if (end !== undefined) {
      handlers.end = (connection) => {
        this.#move(connection, "end", OPEN, OPEN, ENDED);
        end(connection);
      };
    }
    return handlers;
  }

  #stage(connection: Connection): number {
    return this.#stages.get(connection) ?? NEW;
  }

  #move(
    connection: Connection,
    callback: string,
    from: number,
    to: number,
    next: number,
  ): void {
    const stage = this.#stage(connection);
    if (stage < from || stage > to) {
      const names = ["nothing", "open", "end", "error", "close"];
      this.violations.push(`${this.#name}: ${callback} after ${names[stage]}`);
    }
    this.#stages.set(connection, next);
  }
}
