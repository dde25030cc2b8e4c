/** One line that says how far it is, where a person is watching. */
import { formatTime } from "./report.ts";

/** Counts the turns of a run. */
export class Progress {
  readonly #turns: number;
  readonly #beginMs: number = performance.now();
  #begun = 0;

  constructor(turns: number) {
    this.#turns = turns;
  }

  /** Another turn begins. */
  turn(what: string): void {
    const elapsedSeconds = (performance.now() - this.#beginMs) / 1000;
    const left = this.#begun === 0 ? "" : `, about ${
      formatTime(
        elapsedSeconds / this.#begun * (this.#turns - this.#begun),
      )
    } left`;
    this.#begun++;
    show(`${this.#begun} of ${this.#turns}${left}: ${what}`);
  }
}

/** Takes the line away. */
export function clearProgress(): void {
  show("");
}

function show(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}
