/** The connections of a soak's server: each answers what it is sent. */
import type { Connection, Engine, Listener } from "../../mod.ts";
import { CallbackWatch } from "./callback_watch.ts";
import type { Target } from "./reports.ts";

/** Small, so that slow readers make it full. */
const BUFFER_MAX = 32 * 1024;

/** Listeners for each way of running out of descriptors. */
export class EchoPart {
  readonly watch = new CallbackWatch("server");
  readonly #listeners: Listener[];

  constructor(engine: Engine) {
    const handlers = this.watch.handlers({
      data: echo,
      drain: echoRest,
      end(connection) {
        if (connection.context === undefined) connection.end();
      },
    });
    this.#listeners = (["wait", "shed", "closeIdle"] as const).map(
      (onExhausted) =>
        engine.listen({ onExhausted, bufferMax: BUFFER_MAX }, handlers),
    );
  }

  /** Only the first one's connections are all served to their end. */
  get targets(): Target[] {
    return this.#listeners.map(({ port }, index) => ({
      port,
      strict: index === 0,
    }));
  }

  get connections(): number {
    return this.#listeners.reduce(
      (sum, { connections }) => sum + connections,
      0,
    );
  }

  get shed(): number {
    return this.#listeners.reduce((sum, { shed }) => sum + shed, 0);
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
  }
}

function echo(connection: Connection, chunk: Uint8Array): void {
  const taken = connection.write(chunk);
  if (taken === chunk.length) return;
  connection.context = chunk.slice(taken);
  connection.pause();
}

function echoRest(connection: Connection): void {
  const rest = connection.context;
  if (!(rest instanceof Uint8Array)) return;
  const taken = connection.write(rest);
  if (taken < rest.length) {
    connection.context = rest.subarray(taken);
    return;
  }
  connection.context = undefined;
  connection.resume();
}
