/**
 * The floor of the technique: the loop of `echo.c` through Deno's FFI, with
 * integers and typed arrays only, and no engine.
 */

const EPOLL_CTL_ADD = 1;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x80000000 | 0;
const EAGAIN = 11;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const AF_INET = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const BACKLOG = 1024;
const EVENTS_MAX = 512;
const BUFFER_BYTES = 64 * 1024;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  __errno_location: { parameters: [], result: "pointer" },
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
});

const errnoLocation = libc.__errno_location();
if (errnoLocation === null) throw new Error("no errno");
const errno = new Int32Array(
  Deno.UnsafePointerView.getArrayBuffer(errnoLocation, 4),
);

// struct epoll_event is packed on x86-64: events, then the data's two words.
const [eventWords, dataWord] = Deno.build.arch === "x86_64" ? [3, 1] : [4, 2];
const events = new Int32Array(EVENTS_MAX * eventWords);
const change = new Int32Array(eventWords);
const buffer = new Uint8Array(BUFFER_BYTES);
const on = new Int32Array([1]);

/** What a socket did not take, by descriptor; nothing is read meanwhile. */
const unsent: (Uint8Array | undefined)[] = [];

function check(result: number, syscall: string): number {
  if (result < 0) throw new Error(`${syscall}: errno ${errno[0]}`);
  return result;
}

function add(fd: number, mask: number): void {
  change[0] = mask;
  change[dataWord] = fd;
  check(libc.epoll_ctl(epollFd, EPOLL_CTL_ADD, fd, change), "epoll_ctl");
}

function acceptAll(): void {
  for (;;) {
    const fd = libc.accept4(listenerFd, null, null, 0o4000 | 0o2000000);
    if (fd < 0) {
      if (errno[0] === EAGAIN) return;
      check(fd, "accept4");
    }
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, 4);
    unsent[fd] = undefined;
    add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

/** Sends what it can and keeps the rest; returns whether nothing is left. */
function send(fd: number, bytes: Uint8Array): boolean {
  let sent = libc.send(fd, bytes, bytes.length, 0);
  if (sent === bytes.length) return true;
  if (sent < 0) {
    if (errno[0] !== EAGAIN) {
      libc.close(fd);
      return false;
    }
    sent = 0;
  }
  unsent[fd] = bytes.slice(sent);
  return false;
}

function flush(fd: number, bytes: Uint8Array): boolean {
  unsent[fd] = undefined;
  return send(fd, bytes);
}

function serve(fd: number): void {
  const waiting = unsent[fd];
  if (waiting !== undefined && !flush(fd, waiting)) return;
  for (;;) {
    const received = libc.recv(fd, buffer, BUFFER_BYTES, 0);
    if (received <= 0) {
      if (received === 0 || errno[0] !== EAGAIN) libc.close(fd);
      return;
    }
    // One FFI call with the shared buffer; the slow path makes a view.
    const sent = libc.send(fd, buffer, received, 0);
    if (sent !== received) {
      const rest = sent < 0 ? 0 : sent;
      if (!send(fd, buffer.subarray(rest, received))) return;
    }
    if (received < BUFFER_BYTES) return;
  }
}

const epollFd = check(libc.epoll_create1(0o2000000), "epoll_create1");
const listenerFd = check(
  libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0),
  "socket",
);
const address = new Uint8Array([AF_INET, 0, 0, 0, 127, 0, 0, 1, ...Array(8)]);
check(libc.bind(listenerFd, address, address.length), "bind");
check(libc.listen(listenerFd, BACKLOG), "listen");
check(
  libc.getsockname(listenerFd, address, new Uint32Array([address.length])),
  "getsockname",
);
add(listenerFd, EPOLLIN);
console.log(
  `listening on 127.0.0.1:${new DataView(address.buffer).getUint16(2)}`,
);

for (;;) {
  const count = libc.epoll_wait(epollFd, events, EVENTS_MAX, -1);
  for (let i = 0; i < count; i++) {
    const fd = events[i * eventWords + dataWord];
    if (fd === listenerFd) acceptAll();
    else serve(fd);
  }
}
