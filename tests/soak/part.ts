/** A process of a soak, as the one that starts it sees it. */
import type { Message, Order, Target } from "./reports.ts";

/** A running process, and the last that it told. */
export class Part<Report> {
  readonly name: string;
  report: Report | null = null;
  targets: Target[] = [];
  signals = 0;
  /** When it last told anything. */
  toldMs: number = performance.now();
  ended = false;

  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #states = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(name: string, script: string, args: string[]) {
    this.name = name;
    const path = new URL(script, import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-lock",
        "--allow-all",
        "--v8-flags=--expose-gc",
        path,
        ...args,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#listen();
    this.#child.status.then(() => {
      this.ended = true;
      this.#wake();
    });
  }

  /** Resolves once it has told that it has come so far. */
  async reached(state: string): Promise<void> {
    while (!this.#states.has(state)) {
      if (this.ended) throw new Error(`${this.name} ended, and never ${state}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves once it has ended; throws if it did not end well. */
  async finished(): Promise<void> {
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`${this.name} ended with status ${code}`);
  }

  async order(word: Order): Promise<void> {
    await this.#orders.write(new TextEncoder().encode(`${word}\n`));
  }

  signal(name: Deno.Signal): void {
    if (!this.ended) this.#child.kill(name);
  }

  async #listen(): Promise<void> {
    let rest = "";
    for await (
      const text of this.#child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
  }

  #take(line: string): void {
    const message: Message<Report> = JSON.parse(line);
    this.toldMs = performance.now();
    if (message.state === "ready") this.targets = message.targets;
    else if (message.state === "signalled") this.signals = message.signals;
    else this.report = message.report;
    this.#states.add(message.state);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
