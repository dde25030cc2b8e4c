/**
 * Finds the C library and opens symbols of it, with the permission that the
 * program was given: the whole one, or one path alone. It never prompts.
 *
 * @module
 */

import type { Pointer, Runtime, Symbols, SymbolTable } from "./runtime.ts";
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

/** Opened to see whether a library is one, as every program needs it. */
const ERRNO = {
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies SymbolTable;

/** The C library, found. */
export class Library {
  readonly runtime: Runtime;
  /** What opens it. */
  readonly path: string;
  /** Whether memory may be viewed: not with the permission for one path. */
  readonly viewable: boolean;
  readonly #errno: Symbols<typeof ERRNO>;

  constructor(
    runtime: Runtime,
    path: string,
    viewable: boolean,
    errno: Symbols<typeof ERRNO>,
  ) {
    this.runtime = runtime;
    this.path = path;
    this.viewable = viewable;
    this.#errno = errno;
  }

  /** Where this thread's errno is. */
  errnoLocation(): Pointer | null {
    return this.#errno.__errno_location();
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

function tryToOpen(
  runtime: Runtime,
  path: string,
): Symbols<typeof ERRNO> | null {
  try {
    return runtime.open(path, ERRNO);
  } catch {
    return null;
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
  for (const path of candidates) {
    const errno = tryToOpen(runtime, path);
    if (errno !== null) return new Library(runtime, path, viewable, errno);
  }
  throw new LibraryError(
    "NOT_FOUND",
    `Cannot find the C library at ${candidates.join(", ")}: ` +
      "run again with --allow-ffi",
  );
}

let found: Library | null = null;

/** The C library of this process, found once. */
export function library(): Library {
  return found ??= findLibrary(thisRuntime);
}
