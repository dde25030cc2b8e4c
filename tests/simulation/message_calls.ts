/** sendmmsg(2) and recvmmsg(2), of UDP sockets. */
import {
  EAFNOSUPPORT,
  EBADF,
  EINVAL,
  ENOTSOCK,
} from "../../ffi/errno_codes.ts";
import { MSG_TRUNC } from "../../ffi/constants_socket.ts";
import type { MessageVector } from "../../ffi/messages.ts";
import { decodeAddress, encodeAddress } from "../../ffi/sockaddr.ts";
import type { SystemCalls } from "../../ffi/system_calls.ts";
import { UdpSocket } from "./datagram.ts";
import type { Kernel } from "./kernel.ts";
import { familyOf, Socket } from "./socket.ts";

type MessageCalls = Pick<SystemCalls, "sendmmsg" | "recvmmsg">;

/** Calls that move several datagrams. */
export function messageCalls({ descriptors }: Kernel): MessageCalls {
  function on(
    fd: number,
    count: number,
    move: (socket: UdpSocket, index: number) => number,
  ): number {
    const socket = descriptors.file(fd);
    if (socket === undefined) return -EBADF;
    if (!(socket instanceof Socket)) return -ENOTSOCK;
    if (!(socket instanceof UdpSocket)) return -EINVAL;
    for (let index = 0; index < count; index++) {
      const result = move(socket, index);
      if (result < 0) return index > 0 ? index : result;
    }
    return count;
  }

  return {
    sendmmsg: (fd, vector, start, count, _flags) =>
      on(fd, count, (socket, index) => sendOne(socket, vector, start + index)),
    recvmmsg: (fd, vector, count, flags) =>
      on(fd, count, (socket, index) => {
        const datagram = socket.receive(flags);
        if (typeof datagram === "number") return datagram;
        const { bytes, from } = datagram;
        const room = vector.data(index);
        room.set(bytes.subarray(0, room.length));
        const cut = bytes.length > room.length;
        const whole = (flags & MSG_TRUNC) !== 0;
        vector.receive(
          index,
          encodeAddress(from),
          cut && !whole ? room.length : bytes.length,
          cut ? MSG_TRUNC : 0,
        );
        return 0;
      }),
  };
}

/** Sends a message, or the segments that it is cut into. */
function sendOne(
  socket: UdpSocket,
  vector: MessageVector,
  index: number,
): number {
  const name = vector.name(index);
  const to = name.length === 0 ? socket.remote : decodeAddress(name);
  if (to !== null && familyOf(to) !== socket.family) return -EAFNOSUPPORT;
  const data = vector.data(index);
  const size = vector.segmentSize(index) || data.length || 1;
  let at = 0;
  do {
    const result = socket.sendTo(data.subarray(at, at + size), to);
    if (result < 0) return result;
    at += size;
  } while (at < data.length);
  return 0;
}
