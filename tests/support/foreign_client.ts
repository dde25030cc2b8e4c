/** Network clients that others wrote: programs that talk over stdin and stdout. */

/** Enough for a loaded machine; a client that works is never near it. */
const TIMEOUT_MS = 20_000;

/** A running client; what is written to its input goes to the server. */
export class ForeignClient implements AsyncDisposable {
  readonly #command: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;
  readonly #timer: ReturnType<typeof setTimeout>;
  #heard = "";
  #late = false;

  constructor(command: string, args: string[]) {
    this.#command = command;
    this.#child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader();
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#kill();
    }, TIMEOUT_MS);
  }

  /** Gives it a line to send, and waits until it prints what comes back. */
  async exchange(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(line + "\n"));
    await this.hears(line + "\n");
  }

  /** Waits until it prints this, after what was heard before. */
  async hears(text: string): Promise<void> {
    while (!this.#heard.includes(text)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(this.#account(text));
      this.#heard += new TextDecoder().decode(value);
    }
    this.#heard = this.#heard.slice(this.#heard.indexOf(text) + text.length);
  }

  /** Ends it, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#kill();
    await this.#child.status;
    while (!(await this.#output.read()).done);
    await this.#input.close().catch(() => {});
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }

  #account(text: string): string {
    const how = this.#late ? `took more than ${TIMEOUT_MS} ms` : "ended";
    const [wanted, heard] = [text, this.#heard].map((part) =>
      JSON.stringify(part.slice(0, 100))
    );
    return `${this.#command} ${how} before it printed ${wanted}, after ${heard}`;
  }
}

/** Whether a program is installed. */
export async function isInstalled(command: string): Promise<boolean> {
  const args = ["-c", 'command -v "$0"', command];
  const shell = new Deno.Command("sh", { args, stdout: "null" });
  return (await shell.output()).success;
}
