/** The program of deno_listen.ts with another import: Edgewise's streams. */
import { listen, type TcpConn } from "../../src/net/streams.ts";

const BUFFER_BYTES = 64 * 1024;

async function serve(connection: TcpConn): Promise<void> {
  using _ = connection;
  connection.setNoDelay();
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (;;) {
    const received = await connection.read(buffer);
    if (received === null) return;
    let sent = 0;
    while (sent < received) {
      sent += await connection.write(buffer.subarray(sent, received));
    }
  }
}

const listener = listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on 127.0.0.1:${listener.addr.port}`);
for await (const connection of listener) {
  serve(connection).catch(() => {/* the client went away */});
}
