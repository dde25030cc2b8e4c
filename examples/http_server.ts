/**
 * An HTTP server: keep-alive, pipelining, and requests as careful as the protocol
 * wants them. `GET /` says hello, and `POST /echo` sends back what it got.
 *
 *     deno run --allow-ffi examples/http_server.ts [port]
 */
import { argv } from "node:process";
import { Answer } from "./http/answer.ts";
import type { Exchange } from "./http/exchange.ts";
import type { HttpRequest } from "./http/request.ts";
import { serveUntilEnded } from "./http/serve.ts";

const HELLO = Answer.text(200, "hello\n");
const NOT_FOUND = Answer.status(404);
const ONLY_GET = Answer.status(405, { Allow: "GET, HEAD" });
const ONLY_POST = Answer.status(405, { Allow: "POST" });

function answer(request: HttpRequest, exchange: Exchange): void {
  const { method, path } = request;
  switch (path) {
    case "/": {
      const reads = method === "GET" || method === "HEAD";
      return exchange.send(reads ? HELLO : ONLY_GET);
    }
    case "/echo":
      return exchange.send(method === "POST" ? echo(request) : ONLY_POST);
    default:
      return exchange.send(NOT_FOUND);
  }
}

function echo(request: HttpRequest): Answer {
  const type = request.header("content-type") ?? "application/octet-stream";
  return new Answer(200, { "Content-Type": type }, request.body);
}

serveUntilEnded(argv[2] ?? "8080", answer);
