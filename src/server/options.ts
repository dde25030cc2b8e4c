/**
 * Options of a server of several workers.
 *
 * @module
 */

import { checkInteger, type ListenOptions } from "../net/options.ts";
import type { StandardSignalName } from "../signal_names.ts";

/**
 * How the workers share the port:
 *
 * - `"reuseport"`: each accepts from a socket of its own, and the kernel deals
 *   connections out by their addresses (SO_REUSEPORT): evenly, whatever the
 *   workers are doing;
 * - `"exclusive"`: all wait for one socket, and a connection wakes one or a few
 *   that are idle (EPOLLEXCLUSIVE): by load, and so often to the same ones;
 * - `"handover"`: the server's own thread accepts, and gives the connections to
 *   the workers in turn.
 */
export type SharePolicy = "reuseport" | "exclusive" | "handover";

/**
 * Where a {@linkcode Server} listens, and with how many workers. `connectionsMax`
 * is for each worker, and not for `"handover"`.
 */
export interface ServerOptions
  extends Omit<ListenOptions, "reusePort" | "exclusive"> {
  /** Workers, 1 to 1024. @default {navigator.hardwareConcurrency} */
  workers?: number;
  /**
   * How the workers share the port. Unix sockets, and an `fd`, can't be shared by
   * `"reuseport"`. @default {"reuseport" for TCP, otherwise "exclusive"}
   */
  share?: SharePolicy;
  /** Given to each worker's setup function, by structured clone. */
  data?: unknown;
  /**
   * How long a worker that drains waits for its connections to be closed, in
   * milliseconds; then it closes them. A server that stops gives setup functions
   * the same time, and 2 s at the least. Infinity waits for ever. @default {10000}
   */
  drainTimeoutMs?: number;
  /**
   * Signals at which the server stops; a second one while it drains has it stop
   * at once. @default {["SIGINT", "SIGTERM"]}
   */
  stopOn?: readonly StandardSignalName[];
  /** Signals at which it reloads. @default {["SIGHUP"]} */
  reloadOn?: readonly StandardSignalName[];
  /**
   * Told what ended a worker; another one is started after 100 ms, and later each
   * time if it dies again within 10 s. `worker` is -1 for what goes wrong in the
   * server itself. By default it is printed.
   */
  onError?(error: unknown, worker: number): void;
}

/** The options that concern a worker's connections: what it is told of them. */
export function workerOptions(options: ServerOptions): ListenOptions {
  const { acceptBatch, bufferMax, mergeWrites, connectionsMax, onExhausted } =
    options;
  return {
    ...(acceptBatch === undefined ? {} : { acceptBatch }),
    ...(bufferMax === undefined ? {} : { bufferMax }),
    ...(mergeWrites === undefined ? {} : { mergeWrites }),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(onExhausted === undefined ? {} : { onExhausted }),
  };
}

/** The policy that the options ask for, or that suits their address. */
export function sharePolicy(options: ServerOptions): SharePolicy {
  const oneSocket = options.path !== undefined || options.fd !== undefined;
  const { share = oneSocket ? "exclusive" : "reuseport" } = options;
  if (share === "reuseport" && oneSocket) {
    throw new TypeError(
      "Cannot share a unix socket, or one passed on, by reuseport: take exclusive or handover",
    );
  }
  if (share !== "reuseport" && share !== "exclusive" && share !== "handover") {
    throw new TypeError(
      `Cannot share a port: share is ${share}, not "reuseport", "exclusive" or "handover"`,
    );
  }
  if (share === "handover" && options.connectionsMax !== undefined) {
    throw new TypeError(
      "Cannot keep connectionsMax by handover: the one who accepts does not know what workers have open",
    );
  }
  return share;
}

/** The number of workers, checked. */
export function workerCount(options: ServerOptions): number {
  const { workers = navigator.hardwareConcurrency } = options;
  checkInteger("workers", workers, 1, 1024);
  return workers;
}

/** Throws a RangeError for what is no time to wait. */
export function checkDrainTimeout(timeoutMs: number): number {
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
    throw new RangeError(
      `Cannot use drainTimeoutMs: it must be a number from 0 on, and is ${timeoutMs}`,
    );
  }
  return timeoutMs;
}
