/**
 * Edgewise's engine alone: registered descriptors, with the system calls of
 * `echo.c`. read(2) and write(2) take longer for a socket than recv(2) and send(2).
 */
import { Engine, type FdEvent } from "../../mod.ts";
import {
  accept4,
  AF_INET,
  bind,
  type Bytes,
  check,
  EAGAIN,
  getsockname,
  IPPROTO_TCP,
  listen,
  MSG_NOSIGNAL,
  recv,
  send,
  setsockopt,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  socket,
  TCP_NODELAY,
} from "../../ffi/mod.ts";

const BACKLOG = 1024;
const buffer = new Uint8Array(64 * 1024);
/** Of the last message: a view for each would cost as much as the engine does. */
let message = buffer.subarray(0, 0);
const on = new Uint8Array([1, 0, 0, 0]);

/** What a socket did not take; nothing is read meanwhile. */
const unsent = new Map<FdEvent, Bytes>();

const engine = new Engine();

function acceptAll(listener: FdEvent): void {
  for (;;) {
    const fd = accept4(listener.fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd === -EAGAIN) return;
    setsockopt(check(fd, "accept4"), IPPROTO_TCP, TCP_NODELAY, on);
    const event = engine.register(fd, handlers);
    // One registration for both directions; writing is muted until it matters.
    event.enable();
    event.blockWrite();
  }
}

const handlers = {
  read(event: FdEvent): void {
    if (unsent.size !== 0 && unsent.has(event)) return;
    for (;;) {
      const received = recv(event.fd, buffer);
      if (received <= 0) {
        if (received === -EAGAIN) event.readReady = false;
        else event.close();
        return;
      }
      if (received !== message.length) message = buffer.subarray(0, received);
      if (!echo(event, message)) return;
      if (received < buffer.length) return;
    }
  },

  write(event: FdEvent): void {
    const waiting = unsent.get(event);
    if (waiting === undefined) return;
    unsent.delete(event);
    if (!echo(event, waiting)) return;
    event.blockWrite();
    handlers.read(event);
  },
};

/** Sends what it can and keeps the rest; returns whether nothing is left. */
function echo(event: FdEvent, bytes: Bytes): boolean {
  const sent = send(event.fd, bytes, MSG_NOSIGNAL);
  if (sent === bytes.length) return true;
  if (sent < 0 && sent !== -EAGAIN) {
    event.close();
    return false;
  }
  unsent.set(event, bytes.slice(Math.max(0, sent)));
  // A short write is followed by an edge, once there is room.
  event.writeReady = false;
  event.enableWrite();
  return false;
}

const listenerFd = check(
  socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC),
  "socket",
);
const address = new Uint8Array(16);
address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
check(bind(listenerFd, address), "bind");
check(listen(listenerFd, BACKLOG), "listen");
check(getsockname(listenerFd, address), "getsockname");
engine.register(listenerFd, { read: acceptAll }).enableAccept();
console.log(
  `listening on 127.0.0.1:${new DataView(address.buffer).getUint16(2)}`,
);
engine.run();
