/**
 * Finds the C library and opens symbols of it, with the permission that the
 * program was given: the whole one, or one path alone. It never prompts.
 *
 * @module
 */

import { bunRuntime } from "./runtime_bun.ts";
import { denoRuntime } from "./runtime_deno.ts";
import type { Runtime, Symbols, SymbolTable } from "./runtime.ts";

/** Why the C library can't be used. */
export type LibraryErrorCode =
  | "NOT_LINUX"
  | "NOT_PERMITTED"
  | "NOT_FOUND"
  | "SYMBOL_MISSING";

/** The C library can't be used; the message says what to do. */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
  /** The reason. */
  readonly code: LibraryErrorCode;

  /** Made by the first call that needs the library. */
  constructor(code: LibraryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The C library, found: the path that opens it, and how much is permitted. */
export class Library {
  readonly runtime: Runtime;
  readonly path: string;
  /** Whether memory may be viewed: not with a permission for one path. */
  readonly viewable: boolean;

  constructor(runtime: Runtime, path: string, viewable: boolean) {
    this.runtime = runtime;
    this.path = path;
    this.viewable = viewable;
  }

  /** Opens a table of symbols. */
  open<T extends SymbolTable>(table: T): Symbols<T> {
    try {
      return this.runtime.open(this.path, table);
    } catch (error) {
      throw new LibraryError(
        "SYMBOL_MISSING",
        `Cannot load ${Object.keys(table).join(", ")} from ${this.path}: ` +
          `${
            (error as Error).message
          }. It takes glibc 2.27 or musl 1.2, or newer`,
        { cause: error },
      );
    }
  }
}

/** Names that the loader resolves itself: glibc's, then musl's. */
function bareNames(machine: string): string[] {
  return [
    "libc.so.6",
    `/lib/ld-musl-${machine}.so.1`,
    `libc.musl-${machine}.so.1`,
  ];
}

/** Where distributions put the library, the most usual first. */
function absolutePaths(machine: string): string[] {
  return [
    `/lib/${machine}-linux-gnu/libc.so.6`,
    `/usr/lib/${machine}-linux-gnu/libc.so.6`,
    "/lib64/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib/libc.so.6",
    "/usr/lib/libc.so.6",
    `/lib/ld-musl-${machine}.so.1`,
    `/lib/libc.musl-${machine}.so.1`,
    "/usr/lib/libc.so",
  ];
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
  if (runtime.platform !== "linux") {
    throw new LibraryError(
      "NOT_LINUX",
      `Cannot use epoll: it is a part of Linux, the current system is ${runtime.platform}`,
    );
  }
  const machine = runtime.machine === "x64" ? "x86_64" : "aarch64";
  const viewable = runtime.granted();
  const paths = absolutePaths(machine);
  const candidates = viewable
    ? [...bareNames(machine), ...paths]
    : paths.filter((path) => runtime.granted(path));
  if (candidates.length === 0) {
    throw new LibraryError(
      "NOT_PERMITTED",
      `Cannot open the C library: permission is missing. ` +
        `Run again with --allow-ffi=${paths[0]} or with --allow-ffi`,
    );
  }
  const path = candidates.find((candidate) => opens(runtime, candidate));
  if (path === undefined) {
    throw new LibraryError(
      "NOT_FOUND",
      `Cannot open the C library: none of ${candidates.join(", ")} opens`,
    );
  }
  return new Library(runtime, path, viewable);
}

let found: Library | null = null;

/** The C library of this process, found once. */
export function library(): Library {
  return found ??= findLibrary("Bun" in globalThis ? bunRuntime : denoRuntime);
}
