/**
 * What a JavaScript runtime must supply to the raw layer: a way to open a
 * shared library, and, where it is allowed, a view of memory. `runtime_deno.ts`
 * and `runtime_bun.ts` supply it.
 *
 * @module
 */

import type { RuntimeErrorName } from "./this_runtime.ts";

/** The C types in use, by the names that Deno gives them. */
export type NativeType = "i32" | "u32" | "u64" | "buffer" | "pointer" | "void";

/** One C function. */
export interface SymbolDefinition {
  /** The symbol's name in the library, where it is not the table's key. */
  readonly name?: string;
  readonly parameters: readonly NativeType[];
  readonly result: NativeType;
  /** The call is made on another thread, and answers with a promise. It loses errno. */
  readonly nonblocking?: true;
}

/** C functions to open together. */
export type SymbolTable = { readonly [name: string]: SymbolDefinition };

/** An address as the runtime holds it: an opaque object in Deno, a number in Bun. */
export type Pointer = number | { readonly pointer: symbol };

/** What a "buffer" parameter takes: null arrives as NULL. */
export type BufferArgument = ArrayBufferView | ArrayBuffer | null;

interface NativeValues {
  i32: number;
  u32: number;
  u64: bigint;
  buffer: BufferArgument;
  pointer: Pointer | null;
  void: void;
}

type Arguments<P extends readonly NativeType[]> = {
  [I in keyof P]: NativeValues[P[I]];
};

type Answer<D extends SymbolDefinition> = D["nonblocking"] extends true
  ? Promise<NativeValues[D["result"]]>
  : NativeValues[D["result"]];

type Call<D extends SymbolDefinition> = (
  ...values: Arguments<D["parameters"]>
) => Answer<D>;

/** The functions of an opened table. */
export type Symbols<T extends SymbolTable> = {
  readonly [K in keyof T]: Call<T[K]>;
};

/** A class of errors. */
export type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

/** A JavaScript runtime, as far as the raw layer needs one. */
export interface Runtime {
  /** `process.platform`'s name of the system: "linux". */
  readonly platform: string;
  /** `process.arch`'s name of the machine: "x64" or "arm64". */
  readonly machine: string;
  /** Whether a call can be made on another thread (`nonblocking`). */
  readonly nonblocking: boolean;
  /**
   * Whether the program may open any library (no path), or this one. Never
   * asks the user.
   */
  granted(path?: string): boolean;
  /** The class of errors that the runtime's own network calls throw by a name. */
  errorClass(name: RuntimeErrorName): ErrorClass;
  /**
   * The source of an expression that opens symbols as `open` does, for a worker
   * that can load no module.
   */
  readonly openSource: string;
  /** Opens the symbols of a library. Throws what the runtime throws. */
  open<T extends SymbolTable>(path: string, table: T): Symbols<T>;
  /** Lays an array over `length` words of memory. Needs the whole permission. */
  view(pointer: Pointer, length: number): Int32Array;
}
