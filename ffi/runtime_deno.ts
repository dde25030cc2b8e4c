/** Deno's foreign function interface. @module */

import type { Pointer, Runtime, Symbols, SymbolTable } from "./runtime.ts";

/** The runtime where the program runs under Deno. */
export const denoRuntime: Runtime = {
  get platform() {
    return Deno.build.os;
  },

  get machine() {
    return Deno.build.arch === "x86_64" ? "x64" : "arm64";
  },

  nonblocking: true,

  granted(path?: string): boolean {
    const descriptor: Deno.FfiPermissionDescriptor = path === undefined
      ? { name: "ffi" }
      : { name: "ffi", path };
    const status = Deno.permissions.querySync(descriptor);
    // "prompt" counts as no: opening would stop the program to ask. A grant
    // with exceptions (--deny-ffi=PATH) is partial, and covers no memory.
    return status.state === "granted" && !status.partial;
  },

  errorClass: (name) => Deno.errors[name],

  openSource: "(path, table) => Deno.dlopen(path, table).symbols",

  open<T extends SymbolTable>(path: string, table: T): Symbols<T> {
    const library = Deno.dlopen(
      path,
      table as unknown as Deno.ForeignLibraryInterface,
    );
    return library.symbols as unknown as Symbols<T>;
  },

  view(pointer: Pointer, length: number): Int32Array {
    return new Int32Array(
      Deno.UnsafePointerView.getArrayBuffer(
        pointer as unknown as Deno.PointerObject,
        length * Int32Array.BYTES_PER_ELEMENT,
      ),
    );
  },
};
