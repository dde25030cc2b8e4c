/** A client of the workers in tests/workers/server_roles.ts. */

/** Which worker has answered. */
export interface Answer {
  index: number;
  id: string;
  draining: boolean;
}

/** Where the server is. */
export type Target = { port: number } | { path: string };

/** A connection that asks line by line. */
export class Client implements Disposable {
  readonly #connection: Deno.Conn;
  #closed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async connect(target: Target): Promise<Client> {
    return new Client(
      "path" in target
        ? await Deno.connect({ transport: "unix", ...target })
        : await Deno.connect(target),
    );
  }

  /** Sends a line; null if the connection ended instead of an answer. */
  async ask(line = "who"): Promise<Answer | null> {
    await this.#connection.write(new TextEncoder().encode(`${line}\n`));
    const buffer = new Uint8Array(200);
    const count = await this.#connection.read(buffer);
    if (count === null) return null;
    const text = new TextDecoder().decode(buffer.subarray(0, count));
    const [index, id, draining] = text.trim().split(" ");
    return { index: Number(index), id, draining: draining === "true" };
  }

  /** Resolves when the server has ended the connection. */
  async ended(): Promise<void> {
    while (await this.#connection.read(new Uint8Array(200)) !== null);
  }

  close(): void {
    if (!this.#closed) this.#connection.close();
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One question on a connection of its own. */
export async function askOnce(target: Target): Promise<Answer> {
  using client = await Client.connect(target);
  const answer = await client.ask();
  if (answer === null) {
    throw new Error("The connection ended without an answer");
  }
  return answer;
}

/** Asks on one new connection after the other until told to stop. Returns all answers. */
export async function askUntil(
  target: Target,
  stopped: () => boolean,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  while (!stopped()) answers.push(await askOnce(target));
  return answers;
}
