/**
 * Making listening sockets: by address, or taken over.
 *
 * @module
 */

import {
  EINVAL,
  encodeAddress,
  SO_ACCEPTCONN,
  type SocketAddress,
  SOL_SOCKET,
  SystemError,
} from "../../ffi/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { EngineParts } from "../parts.ts";
import { checkInteger, type ListenOptions } from "./options.ts";
import {
  addressText,
  adoptedSocket,
  isInternet,
  streamSocket,
} from "./socket.ts";
import { setSocketOption, type SocketOptionName } from "./socket_options.ts";
import { bindPath } from "./unix_path.ts";

/** A new listening socket. Nothing is left open when it fails. */
export function listeningSocket(
  calls: SystemCalls,
  address: SocketAddress,
  options: ListenOptions,
): number {
  const { backlog = 511 } = options;
  checkInteger("backlog", backlog, 0, 0x7fffffff);
  const wanted = socketOptions(address, options);
  const encoded = encodeAddress(address);
  const fd = streamSocket(calls, address);
  try {
    for (const [name, value] of wanted) setSocketOption(calls, fd, name, value);
    const about = { address: addressText(address) };
    let result = address.family === "unix"
      ? bindPath(calls, fd, address.path, encoded)
      : calls.bind(fd, encoded);
    if (result < 0) throw new SystemError("bind", result, about);
    result = calls.listen(fd, backlog);
    if (result < 0) throw new SystemError("listen", result, about);
  } catch (error) {
    calls.close(fd);
    throw error;
  }
  return fd;
}

/** Takes over a listening socket that was made elsewhere. */
export function adoptedListener(parts: EngineParts, fd: number): number {
  checkListening(parts.calls, fd);
  return adoptedSocket(parts, fd);
}

/** Throws unless a descriptor is a listening socket. */
export function checkListening(calls: SystemCalls, fd: number): void {
  checkInteger("fd", fd, 0, 0x7fffffff);
  const listens = new Uint8Array(4);
  const result = calls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, listens);
  if (result < 0) throw new SystemError("getsockopt", -result, { fd });
  if (listens[0] === 0) throw new SystemError("accept4", EINVAL, { fd });
}

type Setting = readonly [SocketOptionName, boolean | number];

/** The socket options that are to be set before bind(2). */
function socketOptions(
  address: SocketAddress,
  options: ListenOptions,
): Setting[] {
  const { reuseAddress = true, reusePort = false, ipv6Only } = options;
  const deferSeconds = Number(options.deferAccept ?? 0);
  checkInteger("deferAccept", deferSeconds, 0, 0x7fffffff);
  const settings: Setting[] = [];
  if (reusePort) settings.push(["SO_REUSEPORT", true]);
  if (!isInternet(address)) return settings;
  if (reuseAddress) settings.push(["SO_REUSEADDR", true]);
  if (deferSeconds > 0) settings.push(["TCP_DEFER_ACCEPT", deferSeconds]);
  if (address.family === "ipv6" && ipv6Only !== undefined) {
    settings.push(["IPV6_V6ONLY", ipv6Only]);
  }
  return settings;
}
