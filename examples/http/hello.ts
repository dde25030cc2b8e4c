/**
 * What the HTTP servers answer: hello to `GET /`, and to `POST /echo` what it got.
 */
import { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpRequest } from "./request.ts";

const HELLO = Answer.text(200, "hello\n");
const NOT_FOUND = Answer.status(404);
const ONLY_GET = Answer.status(405, { Allow: "GET, HEAD" });
const ONLY_POST = Answer.status(405, { Allow: "POST" });

/** Answers a request. */
export function hello(request: HttpRequest, exchange: Exchange): void {
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
