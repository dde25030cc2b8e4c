/**
 * The child of connection_strace_test.ts: a connection with every timeout, which
 * is paused after each message that it answers. Prints its descriptor.
 */
import { Engine } from "../../mod.ts";

const MESSAGES = 50;
const message = new Uint8Array(64);

const engine = new Engine();
const listener = engine.listen({}, {
  open(connection) {
    console.log(connection.fd);
    for (const kind of ["idle", "read", "write"] as const) {
      connection.timeout(60_000, kind);
    }
  },
  data(connection, chunk) {
    connection.write(chunk);
    connection.pause();
    engine.timer(1, () => connection.resume());
  },
});
let left = MESSAGES;
engine.connect({ port: listener.port }, {
  open: (connection) => void connection.write(message),
  data(connection) {
    left--;
    if (left > 0) connection.write(message);
    else engine.stop();
  },
});
engine.run();
engine.close();
