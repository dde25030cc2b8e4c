/**
 * A server on `Deno.listen`, or on the same of Edgewise, that does one thing with
 * each connection.
 *
 *     deno run -A bench/streams/server.ts deno|edgewise WHAT
 */
import { netOf } from "./nets.ts";

const CHUNK_BYTES = 64 * 1024;

const ways: Record<string, (conn: Deno.TcpConn) => Promise<void>> = {
  async echo(conn) {
    using _ = conn;
    conn.setNoDelay();
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const received = await conn.read(buffer);
      if (received === null) return;
      let sent = 0;
      while (sent < received) {
        sent += await conn.write(buffer.subarray(sent, received));
      }
    }
  },
  async read(conn) {
    const buffer = new Uint8Array(CHUNK_BYTES);
    while (await conn.read(buffer) !== null);
  },
  async readable(conn) {
    for await (const _ of conn.readable);
  },
  async write(conn) {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) await conn.write(buffer);
  },
  async writable(conn) {
    const writer = conn.writable.getWriter();
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (;;) await writer.write(chunk);
  },
  async pipe(conn) {
    await conn.readable.pipeTo(conn.writable);
  },
};

const [net, what] = Deno.args;
const { listen } = await netOf(net);
const listener = listen({ hostname: "127.0.0.1", port: 0 });
console.log(`listening on 127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) {
  ways[what](conn).catch(() => {/* the client went away */});
}
