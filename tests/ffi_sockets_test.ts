/** Sockets through the raw layer, on the real kernel. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as c from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";

const STREAM = c.SOCK_STREAM | c.SOCK_CLOEXEC | c.SOCK_NONBLOCK;
const loopback = c.encodeAddress({
  family: "ipv4",
  host: "127.0.0.1",
  port: 0,
});
/** `struct linger`: on, for no time. */
const noLinger = new Uint8Array(new Int32Array([1, 0]).buffer);
const text = (value: string) => new TextEncoder().encode(value);

/** The address that a socket is bound to. */
function nameOf(fd: number): Uint8Array {
  const bytes = new Uint8Array(c.sockaddr_storage.size);
  const length = c.check(c.getsockname(fd, bytes), "getsockname");
  return bytes.subarray(0, length);
}

function option(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  assertEquals(c.getsockopt(fd, level, name, bytes), 4);
  return value[0];
}

/** Hands out a listener on the loopback interface, and closes it. */
function withListener(use: (fd: number) => void): void {
  const fd = c.check(c.socket(c.AF_INET, STREAM), "socket");
  try {
    c.check(c.bind(fd, loopback), "bind");
    c.check(c.listen(fd, 8), "listen");
    use(fd);
  } finally {
    c.close(fd);
  }
}

/** Waits until `fd` has one of the events. */
function waitFor(fd: number, events: number): void {
  assertEquals(c.poll(new Int32Array([fd, events]), 1, 10_000), 1);
}

function withPair(use: (left: number, right: number) => void): void {
  const fds = new Int32Array(2);
  c.check(c.socketpair(c.AF_UNIX, STREAM, 0, fds), "socketpair");
  try {
    use(fds[0], fds[1]);
  } finally {
    c.close(fds[0]);
    c.close(fds[1]);
  }
}

test("a TCP connection is made, used and shut down", () => {
  withListener((listener) => {
    const client = c.socket(c.AF_INET, STREAM);
    assertEquals(c.connect(client, nameOf(listener)), -c.EINPROGRESS);
    waitFor(listener, c.POLLIN);
    const server = c.accept4(listener, c.SOCK_NONBLOCK | c.SOCK_CLOEXEC);
    assert(server > 0);
    waitFor(client, c.POLLOUT);
    assertEquals(option(client, c.SOL_SOCKET, c.SO_ERROR), 0);
    const peer = new Uint8Array(c.sockaddr_storage.size);
    assertEquals(c.getpeername(client, peer), c.sockaddr_in.size);
    assertEquals(peer.slice(0, 16), nameOf(listener));

    const buffer = new Uint8Array(16);
    assertEquals(c.recv(server, buffer), -c.EAGAIN);
    assertEquals(c.send(client, text("ping"), c.MSG_NOSIGNAL), 4);
    waitFor(server, c.POLLIN);
    assertEquals(c.recv(server, buffer, c.MSG_PEEK), 4);
    assertEquals(c.recv(server, buffer), 4);
    assertEquals(c.shutdown(client, c.SHUT_WR), 0);
    waitFor(server, c.POLLIN);
    assertEquals(c.recv(server, buffer), 0);
    c.close(server);
    c.close(client);
  });
});

test("accept4() gives the new descriptor the flags asked for", () => {
  withListener((listener) => {
    for (const flags of [0, c.SOCK_CLOEXEC, c.SOCK_NONBLOCK | c.SOCK_CLOEXEC]) {
      const client = c.socket(c.AF_INET, STREAM);
      c.connect(client, nameOf(listener));
      waitFor(listener, c.POLLIN);
      const fd = c.check(c.accept4(listener, flags), "accept4");
      assertEquals(
        [
          c.fcntl(fd, c.F_GETFD) === c.FD_CLOEXEC,
          (c.fcntl(fd, c.F_GETFL) & c.O_NONBLOCK) !== 0,
        ],
        [(flags & c.SOCK_CLOEXEC) !== 0, (flags & c.SOCK_NONBLOCK) !== 0],
      );
      c.close(fd);
      c.close(client);
    }
  });
});

test("accept4() fills the peer's address where memory is given for it", () => {
  withListener((listener) => {
    for (const end of ["open", "reset"]) {
      const client = c.socket(c.AF_INET, STREAM);
      c.connect(client, nameOf(listener));
      waitFor(listener, c.POLLIN);
      const name = nameOf(client);
      if (end === "reset") {
        c.setsockopt(client, c.SOL_SOCKET, c.SO_LINGER, noLinger);
        c.close(client);
      }
      const address = new Uint8Array(c.sockaddr_in6.size);
      const fd = c.check(c.accept4(listener, 0, address), "accept4");
      assertEquals(address.subarray(0, c.sockaddr_in.size), name);
      const unknown = c.getpeername(fd, new Uint8Array(16)) === -c.ENOTCONN;
      assertEquals(unknown, end === "reset");
      c.close(fd);
      if (end === "open") c.close(client);
    }
  });
});

test("accept4() writes no more of an address than there is memory", () => {
  withListener((listener) => {
    const client = c.socket(c.AF_INET, STREAM);
    c.connect(client, nameOf(listener));
    waitFor(listener, c.POLLIN);
    const memory = new Uint8Array(8);
    const fd = c.accept4(listener, 0, memory.subarray(0, 4));
    assertEquals(memory.subarray(0, 4), nameOf(client).subarray(0, 4));
    assertEquals(memory.subarray(4), new Uint8Array(4));
    c.close(c.check(fd, "accept4"));
    c.close(client);
  });
});

test("accept4() returns the kernel's error", () => {
  withListener((listener) => {
    assertEquals(c.accept4(listener), -c.EAGAIN);
    assertEquals(c.accept4(listener, 1), -c.EINVAL);
    const unbound = c.socket(c.AF_INET, STREAM);
    assertEquals(c.accept4(unbound), -c.EINVAL);
    c.close(unbound);
    assertEquals(c.accept4(unbound), -c.EBADF);
  });
  const fd = c.eventfd();
  assertEquals(c.accept4(fd), -c.ENOTSOCK);
  c.close(fd);
});

test("a refused connection leaves its error in SO_ERROR, once", () => {
  const fd = c.socket(c.AF_INET, STREAM);
  // Bound and not listening: nobody else can take the port meanwhile.
  const closed = c.socket(c.AF_INET, STREAM);
  c.bind(closed, loopback);
  assertEquals(c.connect(fd, nameOf(closed)), -c.EINPROGRESS);
  waitFor(fd, c.POLLOUT);
  assertEquals(option(fd, c.SOL_SOCKET, c.SO_ERROR), c.ECONNREFUSED);
  assertEquals(option(fd, c.SOL_SOCKET, c.SO_ERROR), 0);
  c.close(closed);
  c.close(fd);
});

test("options are set and read", () => {
  const fd = c.socket(c.AF_INET, STREAM);
  const on = new Uint8Array(new Int32Array([1]).buffer);
  const options = [
    [c.SOL_SOCKET, c.SO_REUSEADDR],
    [c.SOL_SOCKET, c.SO_REUSEPORT],
    [c.SOL_SOCKET, c.SO_KEEPALIVE],
    [c.IPPROTO_TCP, c.TCP_NODELAY],
    [c.IPPROTO_TCP, c.TCP_CORK],
  ];
  for (const [level, name] of options) {
    assertEquals(option(fd, level, name), 0);
    assertEquals(c.setsockopt(fd, level, name, on), 0);
    assertEquals(option(fd, level, name), 1);
  }
  assertEquals(option(fd, c.SOL_SOCKET, c.SO_TYPE), c.SOCK_STREAM);
  assertEquals(option(fd, c.SOL_SOCKET, c.SO_DOMAIN), c.AF_INET);
  assertEquals(option(fd, c.SOL_SOCKET, c.SO_PROTOCOL), c.IPPROTO_TCP);
  const info = new Uint8Array(256);
  const length = c.getsockopt(fd, c.IPPROTO_TCP, c.TCP_INFO, info);
  assert(length > c.tcp_info.tcpi_total_retrans);
  const TCP_CLOSE = 7;
  assertEquals(info[c.tcp_info.tcpi_state], TCP_CLOSE);
  assertEquals(
    c.setsockopt(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, on.subarray(0, 2)),
    -c.EINVAL,
  );
  assertEquals(c.getsockopt(fd, c.SOL_SOCKET, 9999, info), -c.ENOPROTOOPT);
  c.close(fd);
});

test("SO_LINGER with no time resets the connection", () => {
  withListener((listener) => {
    const client = c.socket(c.AF_INET, STREAM);
    c.connect(client, nameOf(listener));
    waitFor(listener, c.POLLIN);
    const server = c.accept4(listener, c.SOCK_NONBLOCK);
    assertEquals(
      c.setsockopt(client, c.SOL_SOCKET, c.SO_LINGER, noLinger),
      0,
    );
    c.close(client);
    waitFor(server, c.POLLIN);
    assertEquals(c.recv(server, new Uint8Array(1)), -c.ECONNRESET);
    c.close(server);
  });
});

test("calls on what is no socket, or not connected, return the kernel's error", () => {
  const buffer = new Uint8Array(16);
  const file = c.eventfd();
  const fd = c.socket(c.AF_INET, STREAM);
  const results = {
    recv: [c.recv(file, buffer), c.recv(fd, buffer)],
    send: [c.send(file, buffer), c.send(fd, buffer, c.MSG_NOSIGNAL)],
    getpeername: [c.getpeername(file, buffer), c.getpeername(fd, buffer)],
    shutdown: [c.shutdown(file, c.SHUT_RD), c.shutdown(fd, c.SHUT_RD)],
    listen: [c.listen(file, 1), c.listen(-1, 1)],
    bind: [c.bind(file, loopback), c.bind(fd, buffer.subarray(0, 4))],
    getsockname: [c.getsockname(file, buffer), c.getsockname(-1, buffer)],
  };
  c.close(fd);
  c.close(file);
  assertEquals(results, {
    recv: [-c.ENOTSOCK, -c.ENOTCONN],
    send: [-c.ENOTSOCK, -c.EPIPE],
    getpeername: [-c.ENOTSOCK, -c.ENOTCONN],
    shutdown: [-c.ENOTSOCK, -c.ENOTCONN],
    listen: [-c.ENOTSOCK, -c.EBADF],
    bind: [-c.ENOTSOCK, -c.EINVAL],
    getsockname: [-c.ENOTSOCK, -c.EBADF],
  });
});

test("socket(), bind() and connect() return the kernel's error", () => {
  assertEquals(c.socket(9999, c.SOCK_STREAM), -c.EAFNOSUPPORT);
  assertEquals(c.socket(c.AF_INET, 9999), -c.EINVAL);
  assertEquals(
    c.socket(c.AF_INET, c.SOCK_STREAM, c.IPPROTO_UDP),
    -c.EPROTONOSUPPORT,
  );
  withListener((listener) => {
    const fd = c.socket(c.AF_INET, STREAM);
    assertEquals(c.bind(fd, nameOf(listener)), -c.EADDRINUSE);
    const elsewhere = c.encodeAddress({
      family: "ipv4",
      host: "192.0.2.1",
      port: 0,
    });
    assertEquals(c.bind(fd, elsewhere), -c.EADDRNOTAVAIL);
    c.close(fd);
  });
  const unix = c.socket(c.AF_UNIX, STREAM);
  const nowhere = { family: "unix", path: "/no/such/socket" } as const;
  assertEquals(c.connect(unix, c.encodeAddress(nowhere)), -c.ENOENT);
  c.close(unix);
});

test("a unix connection to a full backlog gives EAGAIN", () => {
  const address = c.encodeAddress({
    family: "unix-abstract",
    name: `edgewise-backlog-${c.getpid()}`,
  });
  const listener = c.socket(c.AF_UNIX, STREAM);
  c.check(c.bind(listener, address), "bind");
  c.check(c.listen(listener, 0), "listen");
  const clients = Array.from({ length: 2 }, () => c.socket(c.AF_UNIX, STREAM));
  assertEquals(
    clients.map((client) => c.connect(client, address)),
    [0, -c.EAGAIN],
  );
  [...clients, listener].forEach(c.close);
});

test("socketpair() makes two connected sockets", () => {
  withPair((left, right) => {
    assertEquals(c.send(left, text("both")), 4);
    assertEquals(c.send(right, text("ways")), 4);
    const buffer = new Uint8Array(8);
    assertEquals(c.recv(right, buffer.subarray(4)), 4);
    assertEquals(c.recv(left, buffer), 4);
    assertEquals(new TextDecoder().decode(buffer), "waysboth");
    assertEquals(nameOf(left).length, 2);
  });
  assertEquals(
    c.socketpair(c.AF_INET, STREAM, 0, new Int32Array(2)),
    -c.EOPNOTSUPP,
  );
});

test("SO_PEERCRED tells who is at the other end", () => {
  withPair((left) => {
    const credentials = new Int32Array(3);
    const bytes = new Uint8Array(credentials.buffer);
    assertEquals(
      c.getsockopt(left, c.SOL_SOCKET, c.SO_PEERCRED, bytes),
      c.ucred.size,
    );
    assertEquals(credentials[0], c.getpid());
  });
});

test("getsockname() cuts an address that does not fit, and tells its length", () => {
  withListener((listener) => {
    const short = new Uint8Array(4).fill(0xff);
    assertEquals(c.getsockname(listener, short), c.sockaddr_in.size);
    assertEquals(short.slice(0, 2), new Uint8Array([c.AF_INET, 0]));
  });
});

test("no argument reaches the kernel as another number", () => {
  const buffer = new Uint8Array(1);
  for (let round = 0; round < 20_000; round++) c.recv(-1, buffer);
  for (
    const call of [
      () => c.recv(0.5, buffer),
      () => c.recv(-1, buffer, 0.5),
      () => c.send(NaN, buffer),
      () => c.send(-1, buffer, NaN),
      () => c.accept4(1e10),
      () => c.listen(-1, Infinity),
      () => c.socket(c.AF_INET, 2 ** 31),
      () => c.setsockopt(-1, 0.1, 0, buffer),
      () => c.getsockopt(-1, 0, 0.1, buffer),
      () => c.shutdown(-1, -0.5),
    ]
  ) assertThrows(call, TypeError, "the current value is");
  assertThrows(
    () => c.socketpair(c.AF_UNIX, STREAM, 0, new Int32Array(1)),
    RangeError,
    "a pair of descriptors takes 8 bytes",
  );
});
