/** The programs that the benchmark starts, each ended by its id. */

const READY_MAX_MS = 20_000;

const running = new Set<Child>();

/** A running program: its output line by line, its input open until `end()`. */
export class Child {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(command: string[]) {
    const [program = "", ...args] = command;
    this.#process = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.pid = this.#process.pid;
    this.#output = this.#process.stdout
      .pipeThrough(new TextDecoderStream()).getReader();
    running.add(this);
  }

  /** The next line that it prints. */
  async line(timeoutMs: number = READY_MAX_MS): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value } = await within(timeoutMs, this.#output.read());
      if (value === undefined) throw new Error("it ended too early");
      this.#text += value;
    }
  }

  /**
   * The program at the end of the chain: a script or a tracer that starts the
   * real program has that as its only child.
   */
  last(): number {
    return this.#chain().at(-1) ?? this.pid;
  }

  /** Kills it, and what it has started. */
  kill(): void {
    for (const pid of this.#chain().reverse()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  /** Ends it, and waits until it is gone. */
  async end(): Promise<void> {
    this.kill();
    await this.#process.stdin.close().catch(() => {});
    await this.#output.cancel().catch(() => {});
    await this.#process.status;
    running.delete(this);
  }

  #chain(): number[] {
    const pids = [this.pid];
    for (const pid of pids) pids.push(...childrenOf(pid));
    return pids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** When the benchmark is interrupted: ends every program, cleans up, and exits. */
export function endChildrenOnSignal(cleanUp: () => void): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      for (const child of running) child.kill();
      cleanUp();
      Deno.exit(name === "SIGINT" ? 130 : 143);
    });
  }
}

function childrenOf(pid: number): number[] {
  try {
    const list = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    return list.split(" ").filter((text) => text !== "").map(Number);
  } catch {
    return []; // It has ended, or the kernel does not tell.
  }
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it printed nothing for ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
