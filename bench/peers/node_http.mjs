// node:http, run by Node and by Deno.
import { createServer } from "node:http";

const server = createServer((_, response) => {
  response.setHeader("Content-Type", "text/plain");
  response.end("hello\n");
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
