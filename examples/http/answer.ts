/**
 * Answers as bytes, and the Date field that all of them have.
 */
import { STATUS_CODES } from "node:http";
import type { Engine, EngineMetrics } from "../../mod.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** What an answer says of the connection; nothing where HTTP's default holds. */
export type ConnectionField = "" | "close" | "keep-alive";

/** Beyond it a body is sent beside its head, and not copied behind it. */
const WHOLE_BYTES_MAX = 1024;

/** The Date field of this second. */
const date = { second: 0, text: "" };
/** The loop that last brought it up to date, and the turn of it. */
let clockLoop: EngineMetrics | null = null;
let clockTurn = 0;

/**
 * Brings the Date field up to date, once in a turn of the engine's loop: to be
 * called ahead of `Answer.head` and `Answer.whole`.
 */
export function readClock({ metrics }: Engine): void {
  if (clockLoop === metrics && clockTurn === metrics.turns) return;
  clockLoop = metrics;
  clockTurn = metrics.turns;
  const second = Math.floor(Date.now() / 1000);
  if (second === date.second) return;
  date.second = second;
  date.text = `Date: ${new Date(second * 1000).toUTCString()}\r\n\r\n`;
}

/** An answer: made once, it can be sent often. */
export class Answer {
  /** The bytes that follow the head; they must not change. */
  readonly body: Uint8Array;

  readonly #fields: string;
  #head: Uint8Array = NOTHING;
  #whole: Uint8Array | null = NOTHING;
  #second = 0;

  /**
   * Among the fields is the body's length, unless they name another one, as that
   * of a file; or the body is null: there can be none.
   */
  constructor(
    status: number,
    fields: Record<string, string | number> = {},
    body: string | Uint8Array | null = "",
  ) {
    this.body = typeof body === "string"
      ? encoder.encode(body)
      : body ?? NOTHING;
    const length = body === null ? {} : { "Content-Length": this.body.length };
    const lines = Object.entries({ ...length, ...fields })
      .map(([name, value]) => `${name}: ${value}\r\n`);
    this.#fields = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${
      lines.join("")
    }`;
  }

  /** One that says no more than its status does. */
  static status(status: number, fields: Record<string, string> = {}): Answer {
    return Answer.text(status, `${STATUS_CODES[status]}\n`, fields);
  }

  /** A plain text. */
  static text(
    status: number,
    text: string,
    fields: Record<string, string> = {},
  ): Answer {
    return new Answer(status, {
      "Content-Type": "text/plain; charset=utf-8",
      ...fields,
    }, text);
  }

  /** That the client has it already: no body, and no length of one. */
  static unchanged(fields: Record<string, string>): Answer {
    return new Answer(304, fields, null);
  }

  /** The status line and the fields. */
  head(connection: ConnectionField): Uint8Array {
    if (connection !== "") {
      const field = `Connection: ${connection}\r\n`;
      return encoder.encode(this.#fields + field + date.text);
    }
    this.#refresh();
    return this.#head;
  }

  /** A short answer in one piece; null for one that is not short. */
  whole(): Uint8Array | null {
    this.#refresh();
    return this.#whole;
  }

  #refresh(): void {
    if (this.#second === date.second) return;
    this.#second = date.second;
    this.#head = encoder.encode(this.#fields + date.text);
    if (this.body.length > WHOLE_BYTES_MAX) {
      this.#whole = null;
      return;
    }
    this.#whole = new Uint8Array(this.#head.length + this.body.length);
    this.#whole.set(this.#head);
    this.#whole.set(this.body, this.#head.length);
  }
}
