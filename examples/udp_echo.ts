/**
 * A UDP echo server: each datagram goes back to whoever sent it.
 *
 *     deno run --allow-ffi examples/udp_echo.ts [port]
 *
 * Datagrams are received many in one call and sent back many in one call, and
 * the senders' addresses are never decoded. Try it with `nc -u 127.0.0.1 8080`.
 */
import { argv } from "node:process";
import { Engine } from "../mod.ts";
import { fail } from "./echo.ts";

const argument = argv[2] ?? "8080";
const port = Number(argument);
if (!/^\d+$/.test(argument) || port > 65535) {
  fail(`The port must be an integer from 0 to 65535, and is ${argument}`);
}

try {
  const engine = new Engine();
  const socket = engine.datagram({ port }, {
    data(datagram, chunk, from) {
      // One that is not accepted is lost, as datagrams may be.
      datagram.send(chunk, from);
    },
  });
  console.log(`listening on 127.0.0.1:${socket.port}`);
  engine.run();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
