/**
 * A TCP proxy whose bytes never come into the process: the kernel moves them from
 * socket to socket.
 *
 *     deno run --allow-ffi examples/tcp_proxy.ts 8080 127.0.0.1:80
 */
import { argv, exit } from "node:process";
import { type Connection, Engine } from "../mod.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 5 * 60_000;

const [, , ownPort = "8080", target = ""] = argv;
const [, hostname = "", targetPort] = target.match(/^\[?(.+?)\]?:(\d+)$/) ??
  [];
const port = Number(ownPort);
if (!/^\d+$/.test(ownPort) || port > 65535) {
  fail(`The port must be an integer from 0 to 65535, and is ${ownPort}`);
}
const upstreamPort = Number(targetPort);
if (!(upstreamPort >= 1 && upstreamPort <= 65535)) {
  fail(`The target must be HOST:PORT, and is ${JSON.stringify(target)}`);
}

const engine = new Engine();

/** Finds the client's other end, and leaves the rest to the kernel. */
function connectUpstream(client: Connection) {
  // Nothing is read before there is somewhere to send it.
  client.pause();
  const upstream = engine.connect({
    hostname,
    port: upstreamPort,
    timeoutMs: CONNECT_TIMEOUT_MS,
  }, {
    open(upstream) {
      client.splice(upstream);
      upstream.splice(client);
      client.timeout(IDLE_TIMEOUT_MS);
      client.resume();
    },
    error: (_, error) => console.error(error.message),
    // After an exchange both are closed: this is for one that never began.
    close: () => client.reset(),
  });
  client.context = upstream;
}

try {
  const listener = engine.listen({ port, onExhausted: "shed" }, {
    open: connectUpstream,
    close: (client) => (client.context as Connection).close(),
  });
  console.log(`listening on 127.0.0.1:${listener.port}`);
  engine.run();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

function fail(message: string): never {
  console.error(message);
  exit(1);
}
