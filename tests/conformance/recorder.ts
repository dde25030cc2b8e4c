/** Handlers that note their calls. */
import type { FdEvent, FdHandlers } from "../../mod.ts";

/** Which handlers were called, in order, such as `a read` or `b error EPERM`. */
export class Recorder {
  #calls: string[] = [];

  /** Notes a call. */
  note(text: string): void {
    this.#calls.push(text);
  }

  /** Handlers that note their calls under a name and then do what `also` says. */
  handlers(name: string, also: FdHandlers = {}): Required<FdHandlers> {
    return {
      read: (event: FdEvent) => {
        this.note(`${name} read`);
        also.read?.(event);
      },
      write: (event: FdEvent) => {
        this.note(`${name} write`);
        also.write?.(event);
      },
      error: (event, error) => {
        this.note(`${name} error ${error?.code ?? "null"}`);
        also.error?.(event, error);
      },
    };
  }

  /** The calls since the last time, forgotten from here on. */
  take(): string[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }
}
