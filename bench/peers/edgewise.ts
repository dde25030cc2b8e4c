/**
 * Edgewise's connections: engine.listen, with pausing while a reader is slow.
 * With the argument "spin" it looks for events before it waits.
 */
import { type Connection, Engine } from "../../mod.ts";

const engine = new Engine({ spinUs: Deno.args[0] === "spin" ? 100 : 0 });

function send(connection: Connection, bytes: Uint8Array): boolean {
  const accepted = connection.write(bytes);
  if (accepted === bytes.length) return true;
  connection.context = bytes.slice(accepted);
  return false;
}

const listener = engine.listen({ port: 0, backlog: 1024 }, {
  open(connection) {
    connection.setNoDelay();
  },
  data(connection, chunk) {
    if (!send(connection, chunk)) connection.pause();
  },
  drain(connection) {
    const rest = connection.context as Uint8Array | undefined;
    connection.context = undefined;
    if (rest !== undefined && send(connection, rest)) connection.resume();
  },
});
console.log(`listening on 127.0.0.1:${listener.port}`);
engine.run();
