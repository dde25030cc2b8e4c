/**
 * Connecting for streams: by the engine, which gives the descriptor away when it
 * is connected.
 *
 * @module
 */

import { asRuntimeError, EBADF, SystemError } from "../../ffi/mod.ts";
import type { ConnectOptions } from "./options.ts";
import { Presence } from "./streams_attendance.ts";
import type { StreamHost } from "./streams_host.ts";
import type { ConnectLimitOptions } from "./streams_types.ts";

/** A connection that `take` makes of a connected descriptor. */
export async function connectTo<T>(
  { engine, attendance }: StreamHost,
  to: Pick<ConnectOptions, "hostname" | "port" | "path">,
  { signal, timeoutMs }: ConnectLimitOptions,
  take: (fd: number) => T,
): Promise<T> {
  const presence = new Presence(attendance);
  presence.began();
  try {
    return await new Promise<T>((resolve, reject) => {
      engine.connect({
        ...to,
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }, {
        open: (connection) => resolve(take(connection.detach())),
        error: (_, error) => reject(error),
        // The engine has been closed, if it was not the signal.
        close: () =>
          reject(signal?.reason ?? new SystemError("connect", EBADF)),
      });
    });
  } catch (error) {
    throw error instanceof SystemError ? asRuntimeError(error) : error;
  } finally {
    presence.ended();
    presence.closed();
  }
}
