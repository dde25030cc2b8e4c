/**
 * The runtime that the program runs under, and failures as its own network calls
 * tell them: of classes that a program may test for, such as
 * `Deno.errors.ConnectionReset`.
 *
 * @module
 */

import type { SystemError } from "./errno.ts";
import type { Runtime } from "./runtime.ts";
import { bunRuntime } from "./runtime_bun.ts";
import { denoRuntime } from "./runtime_deno.ts";

/** Deno's or Bun's. */
export const thisRuntime: Runtime = "Bun" in globalThis
  ? bunRuntime
  : denoRuntime;

/** The names of those classes. */
export type RuntimeErrorName =
  | "AddrInUse"
  | "AddrNotAvailable"
  | "AlreadyExists"
  | "BadResource"
  | "BrokenPipe"
  | "ConnectionAborted"
  | "ConnectionRefused"
  | "ConnectionReset"
  | "Interrupted"
  | "NetworkUnreachable"
  | "NotADirectory"
  | "NotConnected"
  | "NotFound"
  | "PermissionDenied"
  | "TimedOut";

const NAMES: { readonly [code: string]: RuntimeErrorName } = {
  EACCES: "PermissionDenied",
  EADDRINUSE: "AddrInUse",
  EADDRNOTAVAIL: "AddrNotAvailable",
  EBADF: "BadResource",
  ECONNABORTED: "ConnectionAborted",
  ECONNREFUSED: "ConnectionRefused",
  ECONNRESET: "ConnectionReset",
  EEXIST: "AlreadyExists",
  EINTR: "Interrupted",
  ENETUNREACH: "NetworkUnreachable",
  ENOENT: "NotFound",
  ENOTCONN: "NotConnected",
  ENOTDIR: "NotADirectory",
  EPERM: "PermissionDenied",
  EPIPE: "BrokenPipe",
  ETIMEDOUT: "TimedOut",
};

/** An error of the runtime's class of that name; in Bun, one with the name. */
export function runtimeError(name: RuntimeErrorName, message: string): Error {
  return new (thisRuntime.errorClass(name))(message);
}

/**
 * What the runtime's own calls would throw for a failed system call. It has the
 * kernel's name of the error as its `code`, and the SystemError as its `cause`.
 */
export function asRuntimeError(cause: SystemError): Error {
  const { code, message } = cause;
  const name = NAMES[code];
  const Class = name === undefined ? Error : thisRuntime.errorClass(name);
  return Object.assign(new Class(message, { cause }), { code });
}
