/**
 * What the echo servers share: they differ only in how the kernel reports
 * readiness.
 */
import { argv, exit } from "node:process";
import {
  type Connection,
  type ConnectionHandlers,
  Engine,
  type Trigger,
} from "../mod.ts";

/** What makes a connection an echo. */
export const echoHandlers: ConnectionHandlers = { data: echo, drain: goOn };

/** Serves until the process is ended. `argument` is a port; 0 picks one. */
export function serveEcho(
  trigger: Trigger,
  argument = argv[2] ?? "8080",
): void {
  const port = Number(argument);
  if (!/^\d+$/.test(argument) || port > 65535) {
    fail(`The port must be an integer from 0 to 65535, and is ${argument}`);
  }
  try {
    const engine = new Engine({ trigger });
    const listener = engine.listen({ port, backlog: 4096 }, echoHandlers);
    console.log(`listening on 127.0.0.1:${listener.port}`);
    engine.run();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** Sends a chunk back; what is not accepted waits until the peer has read. */
function echo(connection: Connection, chunk: Uint8Array) {
  const accepted = connection.write(chunk);
  if (accepted === chunk.length) return;
  connection.context = chunk.slice(accepted);
  connection.pause();
}

function goOn(connection: Connection) {
  if (connection.context instanceof Uint8Array) {
    const rest = connection.context;
    connection.context = undefined;
    echo(connection, rest);
  }
  if (connection.context === undefined) connection.resume();
}

/** Ends the program with one line that says why. */
export function fail(message: string): never {
  console.error(message);
  exit(1);
}

/** An argument that must be an integer in a range. */
export function integer(
  name: string,
  text: string,
  min: number,
  max: number,
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  fail(`The ${name} must be an integer from ${min} to ${max}, and is ${text}`);
}
