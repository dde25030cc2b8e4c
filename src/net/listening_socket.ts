/**
 * Making listening sockets: by address, taken over, or started with: socket
 * activation, as systemd and others do it.
 *
 * @module
 */

import {
  currentProcess,
  EINVAL,
  encodeAddress,
  SO_ACCEPTCONN,
  type SocketAddress,
  SOL_SOCKET,
  type SystemCalls,
  SystemError,
} from "../../ffi/mod.ts";
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

/** The first descriptor that is passed, by convention. */
const FIRST = 3;

/** A descriptor that the program was started with. */
export interface InheritedListener {
  /** The descriptor, for {@linkcode ListenOptions.fd}. */
  readonly fd: number;
  /** Its name, as LISTEN_FDNAMES has it; empty without one. */
  readonly name: string;
}

/**
 * The listening sockets that a service manager has passed to this process, as
 * LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say; none if they are not set, or are
 * meant for another process. See sd_listen_fds(3). In Deno this takes
 * `--allow-env=LISTEN_PID,LISTEN_FDS,LISTEN_FDNAMES`.
 *
 * @example
 * ```ts
 * import { Engine, inheritedListeners } from "@edgewise/epoll";
 *
 * using engine = new Engine();
 * const [inherited] = inheritedListeners();
 * const options = inherited === undefined ? { port: 0 } : { fd: inherited.fd };
 * engine.listen(options, {});
 * ```
 */
export function inheritedListeners(): InheritedListener[] {
  const { env, pid } = currentProcess();
  const { LISTEN_PID = "", LISTEN_FDS = "", LISTEN_FDNAMES = "" } = env;
  if (LISTEN_PID !== `${pid}` || !/^\d{1,6}$/.test(LISTEN_FDS)) return [];
  const names = LISTEN_FDNAMES.split(":");
  return Array.from({ length: Number(LISTEN_FDS) }, (_, index) => ({
    fd: FIRST + index,
    name: names[index] ?? "",
  }));
}
