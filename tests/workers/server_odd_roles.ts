/** Workers of a server in which something goes wrong, as its `data` says. */
import { runServerWorker } from "../../src/server/mod.ts";
import type { Connection, ConnectionHandlers } from "../../mod.ts";

/** What the server's `data` says. */
export interface OddRole {
  /** While it is not 0, setup functions and the line `wait` do not go on. */
  gate?: Int32Array<SharedArrayBuffer>;
  /** Counts the workers that have begun. */
  begun?: Int32Array<SharedArrayBuffer>;
  /** While it is not 0, setup functions throw. */
  fails?: Int32Array<SharedArrayBuffer>;
  /** Whether the open handler throws while the worker drains. */
  throwsDraining?: boolean;
  /** Whether setup functions never end. */
  hangs?: boolean;
  /** Whether connections stay open while the worker drains. */
  keepsOpen?: boolean;
}

/** Handlers with state of their own, which only they themselves can reach. */
class Answering implements ConnectionHandlers {
  readonly #name = crypto.randomUUID();
  opened = 0;
  readonly #role: OddRole;
  readonly #isDraining: () => boolean;

  constructor(role: OddRole, isDraining: () => boolean) {
    this.#role = role;
    this.#isDraining = isDraining;
  }

  open(): void {
    this.opened++;
    if (this.#role.throwsDraining && this.#isDraining()) {
      throw new Error("asked to throw");
    }
  }

  data(connection: Connection, chunk: Uint8Array): void {
    const line = new TextDecoder().decode(chunk).trim();
    if (line === "die") throw new Error("asked to die");
    connection.write(
      new TextEncoder().encode(
        `${this.opened} ${this.#name} ${this.#isDraining()}\n`,
      ),
    );
    const { gate } = this.#role;
    if (line === "wait" && gate !== undefined) Atomics.wait(gate, 0, 1);
  }
}

runServerWorker(async (_engine, worker) => {
  const role = worker.data as OddRole;
  const { gate, begun, fails } = role;
  if (begun !== undefined) Atomics.add(begun, 0, 1);
  if (gate !== undefined) Atomics.wait(gate, 0, 1);
  if (fails !== undefined && Atomics.load(fails, 0) !== 0) {
    throw new Error("asked to fail");
  }
  if (role.hangs) await new Promise(() => {});
  worker.onDrain = () => {
    if (role.keepsOpen) return;
    for (const connection of worker.connections) connection.end();
  };
  return new Answering(role, () => worker.draining);
}, {
  onError(error) {
    if ((error as Error).message === "asked to die") throw error;
  },
});
