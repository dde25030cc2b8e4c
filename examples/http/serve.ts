/**
 * An HTTP server on an engine.
 */
import {
  type Connection,
  type ConnectionHandlers,
  Engine,
  type Listener,
  type ListenOptions,
} from "../../mod.ts";
import { fail } from "../echo.ts";
import {
  Exchange,
  type Handler,
  type HttpLimits,
  type Service,
} from "./exchange.ts";
import { Output } from "./output.ts";

const LIMITS: HttpLimits = {
  idleTimeoutMs: 60_000,
  requestTimeoutMs: 30_000,
  lingerMs: 5_000,
};

/** What a server may be told beside its handler. */
export interface HttpOptions {
  /** Limits other than the usual ones. */
  limits?: Partial<HttpLimits>;
  /** Whether each connection is to be ended by its next answer. */
  isClosing?(): boolean;
}

/** Serves until the process is ended. `argument` is a port; 0 picks one. */
export function serveUntilEnded(argument: string, handler: Handler): void {
  const port = Number(argument);
  if (!/^\d+$/.test(argument) || port > 65535) {
    fail(`The port must be an integer from 0 to 65535, and is ${argument}`);
  }
  try {
    const engine = new Engine();
    const listener = serveHttp(engine, { port, backlog: 4096 }, handler);
    console.log(`listening on 127.0.0.1:${listener.port}`);
    engine.run();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** Listens, and has `handler` answer the requests. */
export function serveHttp(
  engine: Engine,
  options: Omit<ListenOptions, "bufferMax" | "mergeWrites"> & HttpOptions,
  handler: Handler,
): Listener {
  const handlers = httpHandlers(engine, handler, options);
  const listener = engine.listen(options, handlers);
  // The last part of an answer shall not wait until the client confirms the others.
  listener.setOption("TCP_NODELAY", true);
  return listener;
}

/** What to do with connections, wherever they come from. */
export function httpHandlers(
  engine: Engine,
  handler: Handler,
  { isClosing = () => false, limits = {} }: HttpOptions = {},
): ConnectionHandlers {
  const service: Service = {
    engine,
    handler,
    isClosing,
    limits: { ...LIMITS, ...limits },
    output: new Output(),
  };
  return {
    open(connection) {
      connection.timeout(service.limits.idleTimeoutMs);
      connection.context = new Exchange(service, connection);
    },
    data: (connection, chunk) => exchangeOf(connection).receive(chunk),
    drain: (connection) => exchangeOf(connection).drained(),
    timeout: (connection) => connection.close(),
    close: (connection) => exchangeOf(connection).close(),
  };
}

function exchangeOf(connection: Connection): Exchange {
  return connection.context as Exchange;
}
