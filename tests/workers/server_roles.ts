/** A worker of a server: says who it is for each line, or what the line asks for. */
import { runServerWorker } from "../../src/server/mod.ts";
import type { Connection } from "../../mod.ts";

/** What the server's `data` says. */
export interface ServerRole {
  /** While it is not 0, workers fail as they start. */
  fails?: Int32Array<SharedArrayBuffer>;
  /** Ends connections that are idle when draining begins. */
  endsIdle?: boolean;
}

const id = crypto.randomUUID();
const text = new TextDecoder();

runServerWorker((_engine, worker) => {
  const { fails, endsIdle = false } = worker.data as ServerRole;
  if (fails !== undefined && Atomics.load(fails, 0) !== 0) {
    throw new Error("asked to fail");
  }
  if (endsIdle) {
    worker.onDrain = () => {
      for (const connection of worker.connections) connection.end();
    };
  }
  const answer = (connection: Connection, line: string) => {
    if (line === "die") throw new Error("asked to die");
    const said = `${worker.index} ${id} ${worker.draining}\n`;
    connection.write(new TextEncoder().encode(said));
  };
  return {
    data(connection, chunk) {
      for (const line of text.decode(chunk).trim().split("\n")) {
        answer(connection, line);
      }
    },
  };
});
