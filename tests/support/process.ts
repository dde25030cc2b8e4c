/** Child processes: started, waited for by what they print, always reaped. */
import { fileURLToPath } from "node:url";

/** How a program is started. */
export interface ProgramOptions {
  /** Deno's flags before the script; all permissions by default. */
  flags?: string[];
  /** What the script gets. */
  args?: string[];
  /** Variables beside the inherited ones. */
  env?: Record<string, string>;
  /** The directory it starts in. */
  cwd?: string;
}

/** How a program ended, and all it printed. */
export interface ProgramResult {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** Enough for a loaded machine; a program that works is never near it. */
const TIMEOUT_MS = 60_000;

/** A running child process. Leaving its scope ends and reaps it. */
export class Program implements AsyncDisposable {
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Output;
  readonly #stderr: Output;
  #result: Promise<ProgramResult> | null = null;

  /** Starts any command; its standard input is empty. */
  constructor(
    command: string,
    args: string[],
    options: Pick<ProgramOptions, "env" | "cwd"> = {},
  ) {
    this.#child = new Deno.Command(command, {
      ...options,
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#stdout = new Output(this.#child.stdout);
    this.#stderr = new Output(this.#child.stderr);
  }

  /** Starts a script with this Deno; a path is relative to the project. */
  static deno(script: string, options: ProgramOptions = {}): Program {
    return new Program(Deno.execPath(), denoArgs(script, options), options);
  }

  /** What it printed on standard output so far. */
  get stdout(): string {
    return this.#stdout.text;
  }

  /** What it printed on standard error so far. */
  get stderr(): string {
    return this.#stderr.text;
  }

  /** Waits until standard output has a match for `pattern`. */
  async waitFor(pattern: RegExp): Promise<RegExpMatchArray> {
    const match = await this.#within(this.#stdout.find(pattern));
    if (match === null) throw this.#failure(`never printed ${pattern}`);
    return match;
  }

  /** Waits for the port in `listening on 127.0.0.1:PORT`. */
  async port(): Promise<number> {
    const match = await this.waitFor(/listening on .*:(\d+)/);
    return Number(match[1]);
  }

  /** Sends a signal; one that has ended gets none. */
  signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch {
      // It has ended.
    }
  }

  /** Waits until it ends by itself. */
  finished(): Promise<ProgramResult> {
    return this.#within(this.#ended());
  }

  /** Ends it, and waits until it is gone. */
  end(name: Deno.Signal = "SIGKILL"): Promise<ProgramResult> {
    this.signal(name);
    return this.finished();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended();
  }

  #ended(): Promise<ProgramResult> {
    this.#result ??= Promise.all([
      this.#child.status,
      this.#stdout.ended,
      this.#stderr.ended,
    ]).then(([{ code, signal }]) => ({
      code,
      signal,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
    return this.#result;
  }

  async #within<T>(promise: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(this.#failure(`took more than ${TIMEOUT_MS} ms`));
        this.signal("SIGKILL");
      }, TIMEOUT_MS);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(what: string): Error {
    return new Error(
      `Process ${this.pid} ${what}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`,
    );
  }
}

/** Runs a script to its end. */
export async function runDeno(
  script: string,
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  await using program = Program.deno(script, options);
  return await program.finished();
}

/** The arguments of `deno` that run a script of this project. */
export function denoArgs(script: string, options: ProgramOptions): string[] {
  const flags = options.flags ?? ["--allow-all"];
  const path = fileURLToPath(new URL(script, PROJECT));
  return ["run", "--quiet", "--no-lock", ...flags, path, ...options.args ?? []];
}

/** The project's own directory, whatever the working directory is. */
export const PROJECT: URL = new URL("../../", import.meta.url);

/** The text of a stream, kept as it arrives. */
class Output {
  text = "";
  readonly ended: Promise<void>;
  #changed = Promise.withResolvers<void>();
  #done = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.ended = this.#collect(stream);
  }

  /** The first match for `pattern`; null if the stream ends without one. */
  async find(pattern: RegExp): Promise<RegExpMatchArray | null> {
    while (true) {
      const match = this.text.match(pattern);
      if (match !== null || this.#done) return match;
      await this.#changed.promise;
    }
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      this.#wake();
    }
    this.#done = true;
    this.#wake();
  }

  #wake() {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
