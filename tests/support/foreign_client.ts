/** Network clients that others wrote: programs that talk over stdin and stdout. */

/** A running client; what is written to its input goes to the server. */
export class ForeignClient implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;
  #heard = "";

  constructor(command: string, args: string[]) {
    this.#child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader();
  }

  /** Sends a line, and waits until it comes back. */
  async exchange(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(line + "\n"));
    while (!this.#heard.endsWith(line + "\n")) {
      const { value, done } = await this.#output.read();
      if (done) {
        throw new Error(`It ended after ${JSON.stringify(this.#heard)}`);
      }
      this.#heard += new TextDecoder().decode(value);
    }
  }

  /** Ends it, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended with its input.
    }
    await this.#child.status;
    while (!(await this.#output.read()).done);
  }
}

/** Whether a program is installed. */
export async function isInstalled(command: string): Promise<boolean> {
  const args = ["-c", 'command -v "$0"', command];
  const shell = new Deno.Command("sh", { args, stdout: "null" });
  return (await shell.output()).success;
}
