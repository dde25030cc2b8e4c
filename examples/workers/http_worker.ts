/** One worker of http_workers.ts. */
import { runServerWorker } from "../../src/server/mod.ts";
import { hello } from "../http/hello.ts";
import { httpHandlers } from "../http/serve.ts";

runServerWorker((engine, worker) => {
  // A draining worker tells its clients by `Connection: close`.
  const handlers = httpHandlers(engine, hello, () => worker.draining);
  return {
    ...handlers,
    open(connection) {
      connection.setNoDelay(true);
      handlers.open?.(connection);
    },
  };
});
