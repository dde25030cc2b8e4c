/**
 * An HTTP server on an engine.
 */
import type { Connection, Engine, Listener, ListenOptions } from "../../mod.ts";
import { Exchange, type Handler } from "./exchange.ts";
import { Output } from "./output.ts";

/** A connection on which nothing has happened for so long is closed. */
const IDLE_TIMEOUT_MS = 60_000;

/** Listens, and has `handler` answer the requests. */
export function serveHttp(
  engine: Engine,
  options: ListenOptions,
  handler: Handler,
): Listener {
  const output = new Output();
  const listener = engine.listen(options, {
    open(connection) {
      connection.timeout(IDLE_TIMEOUT_MS);
      connection.context = new Exchange(engine, connection, handler, output);
    },
    data: (connection, chunk) => exchangeOf(connection).receive(chunk),
    drain: (connection) => exchangeOf(connection).drained(),
    timeout: (connection) => connection.close(),
    close: (connection) => exchangeOf(connection).close(),
  });
  // The last part of an answer shall not wait until the client confirms the others.
  listener.setOption("TCP_NODELAY", true);
  return listener;
}

function exchangeOf(connection: Connection): Exchange {
  return connection.context as Exchange;
}
