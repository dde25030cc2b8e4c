/**
 * An HTTP server: keep-alive, pipelining, and requests as careful as the protocol
 * wants them. `GET /` says hello, and `POST /echo` sends back what it got.
 *
 *     deno run --allow-ffi examples/http_server.ts [port]
 */
import { argv } from "node:process";
import { Engine } from "../mod.ts";
import { fail } from "./echo.ts";
import { Answer } from "./http/answer.ts";
import type { Exchange } from "./http/exchange.ts";
import type { HttpRequest } from "./http/request.ts";
import { serveHttp } from "./http/serve.ts";

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

const [, , argument = "8080"] = argv;
const port = Number(argument);
if (!/^\d+$/.test(argument) || port > 65535) {
  fail(`The port must be an integer from 0 to 65535, and is ${argument}`);
}
try {
  const engine = new Engine();
  const listener = serveHttp(engine, { port, backlog: 4096 }, answer);
  console.log(`listening on 127.0.0.1:${listener.port}`);
  engine.run();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
