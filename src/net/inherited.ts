/**
 * Listening sockets that the program was started with: socket activation, as
 * systemd and others do it.
 *
 * @module
 */

import { currentProcess } from "../../ffi/mod.ts";

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
