/** One worker of http_workers.ts. */
import { runServerWorker } from "../../src/server/mod.ts";
import { hello } from "../http/hello.ts";
import { httpHandlers } from "../http/serve.ts";

runServerWorker((engine, worker) => {
  // A draining worker tells its clients by `Connection: close`.
  const isClosing = () => worker.draining;
  const handlers = httpHandlers(engine, hello, { isClosing });
  return {
    ...handlers,
    open(connection) {
      connection.setNoDelay(true);
      handlers.open?.(connection);
    },
  };
});
