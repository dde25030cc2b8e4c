/**
 * Accepting by hand: a listening socket that does not block, edge-triggered. The
 * kernel tells of new clients once, so that the handler accepts until there are
 * no more. (`engine.listen()` does all this, and more.)
 *
 *     deno run --allow-ffi examples/guide/accept.ts [port]
 */
import { argv } from "node:process";
import { Engine, type FdEvent, SystemError } from "../../mod.ts";
import * as c from "../../ffi/mod.ts";

const port = Number(argv[2] ?? 8080);
const flags = c.SOCK_NONBLOCK | c.SOCK_CLOEXEC;
const greeting = new TextEncoder().encode("hello\n");
const one = new Uint8Array(new Int32Array([1]).buffer);

const listening = c.check(
  c.socket(c.AF_INET, c.SOCK_STREAM | flags),
  "socket",
);
c.setsockopt(listening, c.SOL_SOCKET, c.SO_REUSEADDR, one);
const address = c.encodeAddress({ family: "ipv4", host: "127.0.0.1", port });
c.check(c.bind(listening, address), "bind", { address: `127.0.0.1:${port}` });
c.check(c.listen(listening, 511), "listen");

using engine = new Engine({ trigger: "edge" });
let clients = 0;

function accept(event: FdEvent) {
  for (;;) {
    const fd = c.accept4(event.fd, flags);
    if (fd === -c.EAGAIN) {
      // There are no more: the kernel tells of the next one.
      event.readReady = false;
      console.log(`accepted until EAGAIN, ${clients} in all`);
      return;
    }
    // A signal came in between; or the client has gone meanwhile.
    if (fd === -c.EINTR || fd === -c.ECONNABORTED) continue;
    if (fd < 0) throw new SystemError("accept4", fd, { fd: event.fd });
    clients++;
    // A few bytes always fit into the buffer of a new socket.
    c.send(fd, greeting, c.MSG_NOSIGNAL);
    c.close(fd);
  }
}

const event = engine.register(listening, { read: accept });
event.enableRead();

const bound = new Uint8Array(128);
const length = c.check(c.getsockname(listening, bound), "getsockname");
const local = c.decodeAddress(bound, length);
if (local.family === "ipv4") {
  console.log(`listening on ${local.host}:${local.port}`);
}
engine.run();
