/** An HTTP client that sends what it is told, as it is, and reads what comes. */
import { Buffer } from "node:buffer";
import { within } from "./within.ts";

/** What a server has answered. */
export interface HttpAnswer {
  status: number;
  /** By names in lower case. */
  fields: Map<string, string>;
  body: Uint8Array;
}

/** One connection. */
export class HttpClient implements Disposable {
  readonly conn: Deno.TcpConn;
  #bytes: Buffer = Buffer.alloc(0);

  private constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async connect(port: number): Promise<HttpClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new HttpClient(conn);
  }

  /** Sends text as the bytes that its characters stand for. */
  async send(text: string): Promise<void> {
    const bytes = Buffer.from(text, "latin1");
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.conn.write(bytes.subarray(sent));
    }
  }

  /** The next answer; null at the end. One to a HEAD has no body. */
  async answer(head = false): Promise<HttpAnswer | null> {
    let end: number;
    while ((end = this.#bytes.indexOf("\r\n\r\n")) === -1) {
      if (await this.#read()) continue;
      if (this.#bytes.length === 0) return null;
      throw new Error(`It ended within an answer: ${this.#bytes}`);
    }
    const [line, ...rest] = this.#take(end + 4).toString("latin1").trimEnd()
      .split("\r\n");
    const status = Number(line?.match(/^HTTP\/1\.1 (\d{3}) \S/)?.[1]);
    const fields = new Map(rest.map((field) => {
      const [, name = "", value = ""] = field.match(/^([\w-]+): (.*)$/) ?? [];
      return [name.toLowerCase(), value];
    }));
    const length = Number(fields.get("content-length") ?? 0);
    const bodyBytes = head || status === 304 ? 0 : length;
    return { status, fields, body: await this.#body(bodyBytes) };
  }

  /** All answers up to the end. */
  async answers(): Promise<HttpAnswer[]> {
    const all: HttpAnswer[] = [];
    for (let next; (next = await this.answer()) !== null;) all.push(next);
    return all;
  }

  [Symbol.dispose](): void {
    this.conn.close();
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #body(length: number): Promise<Uint8Array> {
    const body = new Uint8Array(length);
    const before = this.#take(length);
    body.set(before);
    for (let at = before.length; at < length;) {
      const count = await within(this.conn.read(body.subarray(at)), "a body");
      if (count === null) throw new Error("It ended within a body");
      at += count;
    }
    return body;
  }

  /** Whether more came. */
  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(256 * 1024);
    const count = await within(this.conn.read(chunk), "an answer");
    if (count === null) return false;
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, count)]);
    return true;
  }
}

/** Sends text on a connection of its own; all answers up to its end. */
export async function ask(port: number, text: string): Promise<HttpAnswer[]> {
  using client = await HttpClient.connect(port);
  await client.send(text);
  return await client.answers();
}

/** The body as text. */
export function textOf(answer: HttpAnswer | null): string {
  return new TextDecoder().decode(answer?.body);
}
