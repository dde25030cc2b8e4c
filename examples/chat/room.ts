/**
 * Who is in the chat and what they are called: one room, kept by one thread, so
 * that all clients see the same lines in the same order.
 */

/** What a worker tells: someone's line, or that they are gone and why. */
export interface Report {
  readonly id: number;
  readonly line?: string;
  readonly gone?: string;
}

/** What workers are told: a line for one client, or for all. */
export interface Notice {
  readonly to: number | null;
  readonly line: string;
}

/** `guest` and a number are names that the room gives itself. */
const NAME = /^(?!guest)[\p{L}\p{N}_-]{1,20}$/u;

/** Names that `/who` gives, so that its answer fits what a client may leave unread. */
const WHO_MAX = 100;

/** Names, commands, and what is said. */
export class Room {
  readonly #names = new Map<number, string>();
  readonly #send: (notice: Notice) => void;

  constructor(send: (notice: Notice) => void) {
    this.#send = send;
  }

  /** How many are in it. */
  get size(): number {
    return this.#names.size;
  }

  /** Someone has come. */
  enter(id: number): void {
    const name = `guest${id}`;
    this.#names.set(id, name);
    this.#tell(id, `* You are ${name}. Commands: /nick NAME, /who`);
    this.#tell(null, `* ${name} has come`);
  }

  /** Takes what a worker tells. */
  report({ id, line, gone }: Report): void {
    const name = this.#names.get(id);
    if (name === undefined) return;
    if (gone !== undefined) {
      this.#names.delete(id);
      this.#tell(null, `* ${name} ${gone}`);
    } else if (line !== undefined && line !== "") this.#said(id, name, line);
  }

  #said(id: number, name: string, line: string): void {
    if (!line.startsWith("/")) return this.#tell(null, `${name}: ${line}`);
    const [command, ...words] = line.split(" ");
    if (command === "/who") this.#list(id);
    else if (command === "/nick") this.#rename(id, name, words.join(" "));
    else this.#tell(id, `* There is no command ${command}`);
  }

  #list(id: number): void {
    const names = [...this.#names.values()].slice(0, WHO_MAX);
    const more = this.size - names.length;
    const rest = more === 0 ? "" : ` and ${more} more`;
    this.#tell(id, `* Here: ${names.join(", ")}${rest}`);
  }

  #rename(id: number, before: string, name: string): void {
    if (!NAME.test(name)) {
      this.#tell(id, "* A name has 1 to 20 letters and digits, and no guest");
    } else if ([...this.#names.values()].includes(name)) {
      this.#tell(id, `* ${name} is taken`);
    } else {
      this.#names.set(id, name);
      this.#tell(null, `* ${before} is now ${name}`);
    }
  }

  #tell(to: number | null, line: string): void {
    this.#send({ to, line });
  }
}
