/**
 * The browsers that look at the page: each gets it by one request, and the
 * reports as server-sent events by another that never ends.
 */
import type { Connection, Engine, Listener } from "../../mod.ts";
import { Answer, readClock } from "../http/answer.ts";
import { COMPLETE, MORE, RequestParser } from "../http/request_parser.ts";
import type { Reports } from "./reports.ts";
import page from "./page.html" with { type: "text" };

const REPORT_INTERVAL_MS = 500;
const QUEUES_INTERVAL_MS = 10;

const PAGE = new Answer(200, { "Content-Type": "text/html" }, page);
const NOT_FOUND = Answer.status(404);

const encoder = new TextEncoder();
const FEED_HEAD = encoder.encode(
  "HTTP/1.1 200 OK\r\n" +
    "Content-Type: text/event-stream\r\n" +
    "Cache-Control: no-store\r\n" +
    "Connection: close\r\n\r\n",
);

/** Serves the page, and reports twice a second to those who have it open. */
export function serveViewers(
  engine: Engine,
  port: number,
  reports: Reports,
): Listener {
  const viewers = new Set<Connection>();
  const answered = new WeakSet<Connection>();
  const looking = engine.timer(QUEUES_INTERVAL_MS, () => reports.noteQueues(), {
    repeat: true,
  });
  looking.cancel();
  engine.timer(REPORT_INTERVAL_MS, () => {
    if (viewers.size === 0) return looking.cancel();
    if (!looking.active) looking.reset();
    const event = encoder.encode(`data: ${reports.next()}\n\n`);
    for (const viewer of viewers) {
      // Who does not keep up misses some.
      if (viewer.bufferedBytes === 0) viewer.write(event);
    }
  }, { repeat: true });
  return engine.listen({ port }, {
    open(connection) {
      connection.context = new RequestParser();
    },
    data(connection, chunk) {
      if (answered.has(connection)) return;
      const parser = parserOf(connection);
      parser.feed(chunk);
      const result = parser.next();
      if (result === MORE) return parser.keep();
      answered.add(connection);
      const path = result === COMPLETE ? parser.request.path : "";
      if (path === "/reports") {
        connection.write(FEED_HEAD);
        viewers.add(connection);
      } else send(engine, connection, path === "/" ? PAGE : NOT_FOUND);
    },
    close(connection) {
      viewers.delete(connection);
      parserOf(connection).close();
    },
  });
}

function send(engine: Engine, connection: Connection, answer: Answer): void {
  readClock(engine);
  connection.write(answer.head("close"));
  connection.write(answer.body);
  connection.end();
}

function parserOf(connection: Connection): RequestParser {
  return connection.context as RequestParser;
}
