/**
 * Connecting a stream socket without waiting.
 *
 * @module
 */

import {
  type Bytes,
  EAGAIN,
  EINPROGRESS,
  EINTR,
  encodeAddress,
  type SocketAddress,
  SystemError,
} from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { Timer } from "../timers.ts";
import { CONNECT_QUEUE, FAST, TASK_WORK } from "../work_queue.ts";
import { Connection, NO_SOCKET } from "./connection.ts";
import {
  type AdoptOptions,
  BUFFER_MAX,
  checkInteger,
  type ConnectionHandlers,
  type ConnectOptions,
} from "./options.ts";
import {
  addressText,
  adoptedSocket,
  boundAddress,
  endpointAddress,
  isInternet,
  streamSocket,
} from "./socket.ts";

/** The pauses between attempts at a unix socket whose backlog is full. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 100;
/** Attempts until such a connection fails with EAGAIN: about two minutes. */
const ATTEMPTS_MAX = 1200;

/** Starts to connect. What fails from here on is told to the handlers. */
export function connect(
  parts: EngineParts,
  options: ConnectOptions,
  handlers: ConnectionHandlers,
): Connection {
  const { bufferMax = BUFFER_MAX } = options;
  checkInteger("bufferMax", bufferMax, 0, 0x7fffffff);
  const address = endpointAddress(options, 1);
  const encoded = encodeAddress(address);
  const readsWhole = isInternet(address);
  const shared = { parts, handlers, bufferMax, readsWhole };
  const fd = streamSocket(parts.calls, address);
  const connection = new Connection(shared, NO_SOCKET);
  connection.useSocket(fd, addressText(address));
  attempt(parts, connection, address, encoded, 1);
  return connection;
}

/** Takes over a connected socket; `open` is called in the next turn. */
export function adopt(
  parts: EngineParts,
  fd: number,
  handlers: ConnectionHandlers,
  options: AdoptOptions,
): Connection {
  const { bufferMax = BUFFER_MAX } = options;
  checkInteger("bufferMax", bufferMax, 0, 0x7fffffff);
  adoptedSocket(parts, fd);
  const address = boundAddress(parts.calls, fd);
  const readsWhole = address !== null && isInternet(address);
  const shared = { parts, handlers, bufferMax, readsWhole };
  const connection = new Connection(shared, fd);
  const open = () => {
    if (!connection.closed) handlers.open?.(connection);
    return 1;
  };
  parts.queues.push(FAST, { source: connection, run: open }, TASK_WORK);
  parts.touched();
  return connection;
}

function attempt(
  parts: EngineParts,
  connection: Connection,
  address: SocketAddress,
  encoded: Bytes,
  count: number,
): void {
  if (connection.closed) return;
  const result = parts.calls.connect(connection.fd, encoded);
  // An interrupted connect(2) goes on by itself.
  if (result === 0 || result === -EINPROGRESS || result === -EINTR) {
    connection.awaitConnected();
    return;
  }
  if (result === -EAGAIN && !isInternet(address) && count < ATTEMPTS_MAX) {
    const pauseMs = Math.min(RETRY_MIN_MS * 2 ** (count - 1), RETRY_MAX_MS);
    const again = () => attempt(parts, connection, address, encoded, count + 1);
    new Timer(parts, pauseMs, again, false, 0);
    return;
  }
  const error = new SystemError("connect", -result, {
    fd: connection.fd,
    address: addressText(address),
  });
  const fail = () => {
    connection.connectFailed(error);
    return 1;
  };
  parts.queues.push(
    CONNECT_QUEUE,
    { source: connection, run: fail },
    TASK_WORK,
  );
  parts.touched();
}
