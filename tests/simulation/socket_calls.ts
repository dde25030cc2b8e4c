/** The calls on sockets. */
import {
  EAFNOSUPPORT,
  EBADF,
  EINVAL,
  EMFILE,
  ENOTSOCK,
} from "../../ffi/errno_codes.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../../ffi/constants_socket.ts";
import { decodeAddress } from "../../ffi/sockaddr.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { UdpSocket } from "./datagram.ts";
import type { Kernel } from "./kernel.ts";
import { SimulationError } from "./open_file.ts";
import { Socket } from "./socket.ts";
import { TcpStream } from "./tcp_stream.ts";
import { UnixStream } from "./unix_stream.ts";

const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

type SocketCalls = Pick<
  SystemCalls,
  | "socket"
  | "bind"
  | "listen"
  | "accept4"
  | "connect"
  | "getsockname"
  | "getpeername"
  | "getsockopt"
  | "setsockopt"
  | "recv"
  | "send"
  | "shutdown"
>;

/** Calls on sockets, which fail with ENOTSOCK on what is none. */
export function socketCalls({ descriptors, network }: Kernel): SocketCalls {
  function on(fd: number, call: (socket: Socket) => number): number {
    const file = descriptors.file(fd);
    if (file === undefined) return -EBADF;
    return file instanceof Socket ? call(file) : -ENOTSOCK;
  }

  return {
    socket(domain, type, protocol) {
      const kind = type & ~FLAGS;
      const nonblocking = (type & SOCK_NONBLOCK) !== 0;
      if (![AF_UNIX, AF_INET, AF_INET6].includes(domain)) return -EAFNOSUPPORT;
      const isUdp = kind === SOCK_DGRAM && domain !== AF_UNIX;
      if (isUdp && protocol === 0) {
        const socket = new UdpSocket(network, domain, kind, nonblocking);
        return descriptors.add(socket, (type & SOCK_CLOEXEC) !== 0);
      }
      if (kind !== SOCK_STREAM || protocol !== 0) {
        throw new SimulationError(`Sockets of type ${kind} are not simulated`);
      }
      const socket = domain === AF_UNIX
        ? new UnixStream(network, nonblocking)
        : new TcpStream(network, domain, kind, nonblocking);
      return descriptors.add(socket, (type & SOCK_CLOEXEC) !== 0);
    },
    bind: (fd, address) =>
      on(fd, (socket) => socket.bind(decodeAddress(address))),
    listen: (fd, backlog) => on(fd, (socket) => socket.listen(backlog)),
    accept4: (fd, flags, address) =>
      on(fd, (socket) => {
        if ((flags & ~FLAGS) !== 0) return -EINVAL;
        // Before it looks whether there is anybody to accept.
        if (!descriptors.hasRoom()) return -EMFILE;
        const accepted = socket.accept();
        if (typeof accepted === "number") return accepted;
        accepted.nonblocking = (flags & SOCK_NONBLOCK) !== 0;
        if (address) accepted.getpeername(address);
        return descriptors.add(accepted, (flags & SOCK_CLOEXEC) !== 0);
      }),
    connect: (fd, address) =>
      on(fd, (socket) => socket.connect(decodeAddress(address))),
    getsockname: (fd, bytes) => on(fd, (socket) => socket.getsockname(bytes)),
    getpeername: (fd, bytes) => on(fd, (socket) => socket.getpeername(bytes)),
    getsockopt: (fd, level, name, value) =>
      on(fd, (socket) => socket.getsockopt(level, name, value)),
    setsockopt: (fd, level, name, value) =>
      on(fd, (socket) => socket.setsockopt(level, name, value)),
    recv: (fd, buffer, flags) => on(fd, (socket) => socket.recv(buffer, flags)),
    send: (fd, bytes, flags) => on(fd, (socket) => socket.send(bytes, flags)),
    shutdown: (fd, how) => on(fd, (socket) => socket.shutdown(how)),
  };
}
