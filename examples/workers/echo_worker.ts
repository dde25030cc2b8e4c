/** One worker of echo_workers.ts. */
import { runEngineWorker } from "../../mod.ts";
import { echoHandlers } from "../echo.ts";

/** Where a worker's connections come from. */
export type Source =
  /** A socket of its own, on a port that others listen on, too. */
  | { from: "port"; port: number; backlog: number }
  /** A listening socket that others have duplicates of. */
  | { from: "socket"; fd: number }
  /** Another thread that accepts them. */
  | { from: "inbox" };

runEngineWorker((engine, data) => {
  const source = data as Source;
  switch (source.from) {
    case "port": {
      const { port, backlog } = source;
      const options = { port, backlog, reusePort: true };
      return engine.listen(options, echoHandlers).port;
    }
    case "socket":
      return engine.listen({ fd: source.fd }, echoHandlers).port;
    case "inbox":
      return engine.inbox({
        sendersMax: 1,
        descriptor: (fd) => void engine.adopt(fd, echoHandlers),
      }, () => {}).address;
  }
});
