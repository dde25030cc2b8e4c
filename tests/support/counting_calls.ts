/** A table of system calls that notes each call and passes it on. */
import type { SystemCalls } from "../../ffi/system_calls.ts";

/** The name of a system call of the table. */
export type CallName = keyof SystemCalls;

/** One call that was made. */
export interface CallRecord {
  name: CallName;
  /** Copies, as the caller uses its arrays again. */
  args: unknown[];
  result: unknown;
}

/** Makes `calls` the real ones, and remembers them. */
export class CountingCalls {
  /** The table to hand to an engine. */
  readonly calls: SystemCalls;
  /** All calls but those of the clock, in order. */
  readonly log: CallRecord[] = [];

  constructor(real: SystemCalls) {
    const note = (name: CallName, args: unknown[], result: unknown) => {
      if (name !== "now") this.log.push({ name, args, result });
    };
    this.calls = new Proxy(real, {
      get(target, name: CallName) {
        const call: unknown = target[name];
        if (typeof call !== "function") return call;
        return (...args: unknown[]) => {
          const copies = args.map(copied);
          const result: unknown = Reflect.apply(call, target, args);
          note(name, copies, result);
          return result;
        };
      },
    });
  }

  /** The calls named `name`, or those of them whose first argument is `fd`. */
  named(name: CallName, fd?: number): CallRecord[] {
    return this.log.filter((call) =>
      call.name === name && (fd === undefined || call.args[0] === fd)
    );
  }

  /** How many calls named `name` were made. */
  count(name: CallName, fd?: number): number {
    return this.named(name, fd).length;
  }

  /** Forgets the calls made so far. */
  reset(): void {
    this.log.length = 0;
  }

  /** The calls named `name` that `run` makes. */
  during(name: CallName, run: () => void): CallRecord[] {
    const start = this.log.length;
    run();
    return this.log.slice(start).filter((call) => call.name === name);
  }
}

function copied(value: unknown): unknown {
  if (value instanceof Int32Array || value instanceof Uint8Array) {
    return value.slice();
  }
  return value;
}
