/**
 * Making connections: to an address or a name, and of a socket taken over.
 *
 * @module
 */

import { encodeAddress } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { FAST, TASK_WORK } from "../work_queue.ts";
import { Connecting } from "./connecting.ts";
import { Connection, NO_SOCKET } from "./connection.ts";
import {
  type AdoptOptions,
  checkArguments,
  checkInteger,
  CONNECTION_HANDLERS,
  type ConnectionHandlers,
  connectionOptions,
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

/** Labels of letters, digits, hyphens and underscores; the last is no number. */
const HOST_NAME = /^([\w-]{1,63}\.)*(?!\d+\.?$)[\w-]{1,63}\.?$/;
const HOST_NAME_MAX = 254;

/** Starts to connect. What fails from here on is told to the handlers. */
export function connect(
  parts: EngineParts,
  options: ConnectOptions,
  handlers: ConnectionHandlers,
): Connection {
  checkArguments("connect", options, handlers, CONNECTION_HANDLERS);
  const { timeoutMs = Infinity, signal } = options;
  const limited = { parts, handlers, ...connectionOptions(options) };
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
    throw new RangeError(
      `Cannot connect: timeoutMs must be a number from 0 on, and is ${timeoutMs}`,
    );
  }
  signal?.throwIfAborted();
  const { hostname = "", port = 0, path } = options;
  const limits = { timeoutMs, signal };
  if (path === undefined && isHostName(hostname)) {
    checkInteger("port", port, 1, 65535);
    const shared = { ...limited, readsWhole: true };
    const connection = new Connection(shared, NO_SOCKET);
    const target = `${hostname}:${port}`;
    const connecting = new Connecting(parts, connection, target, limits);
    connecting.lookUp(hostname, port);
    return connection;
  }
  const address = endpointAddress(options, 1);
  // What is wrong with it shows here, before there is a socket.
  encodeAddress(address);
  const shared = { ...limited, readsWhole: isInternet(address) };
  const fd = streamSocket(parts.calls, address);
  const target = addressText(address);
  const connection = new Connection(shared, NO_SOCKET);
  connection.useSocket(fd, target);
  new Connecting(parts, connection, target, limits).connect(address);
  return connection;
}

/** Takes over a connected socket; `open` is called in the next turn. */
export function adopt(
  parts: EngineParts,
  fd: number,
  handlers: ConnectionHandlers,
  options: AdoptOptions,
): Connection {
  checkArguments("adopt", options, handlers, CONNECTION_HANDLERS);
  const limited = connectionOptions(options);
  adoptedSocket(parts, fd);
  const address = boundAddress(parts.calls, fd);
  const readsWhole = address !== null && isInternet(address);
  const shared = { parts, handlers, ...limited, readsWhole };
  const connection = new Connection(shared, fd);
  const open = () => {
    if (!connection.closed) handlers.open?.(connection);
    return 1;
  };
  parts.queues.push(FAST, { source: connection, run: open }, TASK_WORK);
  parts.touched();
  return connection;
}

/** Whether it is a name to look up, and no address. */
export function isHostName(hostname: string): boolean {
  return typeof hostname === "string" && hostname.length <= HOST_NAME_MAX &&
    HOST_NAME.test(hostname);
}
