/**
 * Connecting by hand: an HTTP/1 client on a socket that does not block. Waits
 * until the connection is established, sends as the kernel takes it, and reads
 * until the server closes. (`engine.connect()` does all this, and more.)
 *
 *     deno run --allow-ffi examples/guide/connect.ts [port] [path]
 */
import { argv, exit, stdout } from "node:process";
import { Engine, type FdEvent, SystemError } from "../../mod.ts";
import * as c from "../../ffi/mod.ts";

const port = Number(argv[2] ?? 8080);
const path = argv[3] ?? "/";
const about = { address: `127.0.0.1:${port}` };
const request = new TextEncoder().encode(
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
);
const buffer = new Uint8Array(16 * 1024);

using engine = new Engine({ trigger: "edge" });
let connected = false;
let sent = 0;

const fd = c.check(
  c.socket(c.AF_INET, c.SOCK_STREAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC),
  "socket",
);
const address = c.encodeAddress({ family: "ipv4", host: "127.0.0.1", port });
const begun = c.connect(fd, address);
// An interrupted connect(2) goes on by itself, as one in progress does.
if (begun < 0 && begun !== -c.EINPROGRESS && begun !== -c.EINTR) {
  throw new SystemError("connect", begun, about);
}

/** Writable for the first time: connecting has come to an end, good or bad. */
function checkConnected() {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  c.check(c.getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR, bytes), "getsockopt");
  if (value[0] !== 0) throw new SystemError("connect", value[0], about);
  connected = true;
}

function send(event: FdEvent) {
  if (!connected) {
    checkConnected();
    event.enableRead();
  }
  while (sent < request.length) {
    const count = c.send(fd, request.subarray(sent), c.MSG_NOSIGNAL);
    if (count === -c.EINTR) continue;
    if (count === -c.EAGAIN) {
      // The rest when the kernel tells of room.
      event.writeReady = false;
      return;
    }
    sent += c.check(count, "send", about);
  }
  event.blockWrite();
}

function receive(event: FdEvent) {
  for (;;) {
    const count = c.recv(fd, buffer);
    if (count === -c.EINTR) continue;
    if (count === -c.EAGAIN) {
      event.readReady = false;
      return;
    }
    if (c.check(count, "recv", about) === 0) break;
    stdout.write(buffer.slice(0, count));
  }
  event.close();
  engine.stop();
}

const event = engine.register(fd, { read: receive, write: send });
// Both directions with one call; there is nothing to read before it is connected.
event.enable();
event.blockRead();
try {
  engine.run();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  exit(1);
}
