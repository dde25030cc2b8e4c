/**
 * Finds the C library and opens symbols of it, with the permission that the
 * program was given: the whole one, or one path alone. It never prompts.
 *
 * @module
 */

import type { Runtime, Symbols, SymbolTable } from "./runtime.ts";
import { thisRuntime } from "./this_runtime.ts";

/** Why the C library can't be used. */
export type LibraryErrorCode =
  | "NOT_SUPPORTED"
  | "NOT_PERMITTED"
  | "NOT_FOUND"
  | "SYMBOL_MISSING";

/** The C library can't be used. The message says what to do. */
export class LibraryError extends Error {
  /** "LibraryError". */
  override readonly name = "LibraryError";
  /** The reason: the system or machine, the permission, the library, a symbol of it. */
  readonly code: LibraryErrorCode;

  /** Thrown by the first call that needs the library. */
  constructor(code: LibraryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The C library, found. */
export class Library {
  readonly runtime: Runtime;
  /** What opens it. */
  readonly path: string;
  /** Whether memory may be viewed: not with the permission for one path. */
  readonly viewable: boolean;

  constructor(runtime: Runtime, path: string, viewable: boolean) {
    this.runtime = runtime;
    this.path = path;
    this.viewable = viewable;
  }

  /** Opens a table of symbols. Throws LibraryError where one is missing. */
  open<T extends SymbolTable>(table: T): Symbols<T> {
    try {
      return this.runtime.open(this.path, table);
    } catch (error) {
      throw new LibraryError(
        "SYMBOL_MISSING",
        `Cannot find ${symbolNames(table)} in the C library ${this.path}: ` +
          `use glibc or musl, of 2019 or newer`,
        { cause: error },
      );
    }
  }
}

function symbolNames(table: SymbolTable): string {
  const names = Object.entries(table).map(([key, { name = key }]) => name);
  return [...new Set(names)].join(", ");
}

/** What the loader finds by itself: glibc, then musl. */
function loaderNames(machine: string): string[] {
  return ["libc.so.6", `libc.musl-${machine}.so.1`];
}

/** Where distributions put it, for the permission to open one path. */
function usualPaths(machine: string): string[] {
  return [
    `/lib/${machine}-linux-gnu/libc.so.6`,
    `/usr/lib/${machine}-linux-gnu/libc.so.6`,
    "/lib64/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib/libc.so.6",
    "/usr/lib/libc.so.6",
    `/lib/ld-musl-${machine}.so.1`,
    `/lib/libc.musl-${machine}.so.1`,
    `/usr/lib/libc.so`,
  ];
}

function machineName(runtime: Runtime): string {
  if (runtime.platform !== "linux") {
    throw new LibraryError(
      "NOT_SUPPORTED",
      `Cannot use epoll outside Linux: the current system is ${runtime.platform}`,
    );
  }
  if (runtime.machine === "x64") return "x86_64";
  if (runtime.machine === "arm64") return "aarch64";
  throw new LibraryError(
    "NOT_SUPPORTED",
    `Cannot use the C library but on x64 and arm64: the current machine is ${runtime.machine}`,
  );
}

function opens(runtime: Runtime, path: string): boolean {
  try {
    runtime.open(path, {});
    return true;
  } catch {
    return false;
  }
}

/** Finds the C library. Throws LibraryError where it can't be used. */
export function findLibrary(runtime: Runtime): Library {
  const machine = machineName(runtime);
  const paths = usualPaths(machine);
  const viewable = runtime.granted();
  const candidates = viewable
    ? [...loaderNames(machine), ...paths]
    : paths.filter((path) => runtime.granted(path));
  if (candidates.length === 0) {
    throw new LibraryError(
      "NOT_PERMITTED",
      "Cannot open the C library without permission: run again with " +
        `--allow-ffi=${
          paths[0]
        } (its path on this system), or with --allow-ffi`,
    );
  }
  const path = candidates.find((candidate) => opens(runtime, candidate));
  if (path === undefined) {
    throw new LibraryError(
      "NOT_FOUND",
      `Cannot find the C library at ${candidates.join(", ")}: ` +
        "run again with --allow-ffi",
    );
  }
  return new Library(runtime, path, viewable);
}

let found: Library | null = null;

/** The C library of this process, found once. */
export function library(): Library {
  return found ??= findLibrary(thisRuntime);
}
