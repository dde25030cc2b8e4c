/** Bun's foreign function interface. @module */

import { currentProcess } from "./builtins.ts";
import type {
  Pointer,
  Runtime,
  SymbolDefinition,
  Symbols,
  SymbolTable,
} from "./runtime.ts";

/** The part of "bun:ffi" in use. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: readonly string[]; returns: string }>,
  ): { symbols: Record<string, unknown> };
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

// Not a static import: under Deno no module has that name.
function bunFfi(): BunFfi {
  const meta = import.meta as unknown as { require(name: string): unknown };
  return meta.require("bun:ffi") as BunFfi;
}

const bunTypes = {
  i32: "i32",
  u32: "u32",
  u64: "u64",
  buffer: "ptr",
  pointer: "ptr",
  void: "void",
} as const;

function openOne(path: string, name: string, definition: SymbolDefinition) {
  const symbol = definition.name ?? name;
  const { symbols } = bunFfi().dlopen(path, {
    [symbol]: {
      args: definition.parameters.map((type) => bunTypes[type]),
      returns: bunTypes[definition.result],
    },
  });
  return symbols[symbol];
}

/** The runtime where the program runs under Bun. */
export const bunRuntime: Runtime = {
  get platform() {
    return currentProcess().platform;
  },

  get machine() {
    return currentProcess().arch;
  },

  nonblocking: false,

  granted: () => true,

  errorClass: (name) =>
    class extends Error {
      override readonly name = name;
    },

  openSource: `(path, table) => {
    const { dlopen } = process.getBuiltinModule("bun:ffi");
    const types = ${JSON.stringify(bunTypes)};
    const functions = Object.entries(table).map(([name, definition]) => [
      name,
      {
        args: definition.parameters.map((type) => types[type]),
        returns: types[definition.result],
      },
    ]);
    return dlopen(path, Object.fromEntries(functions)).symbols;
  }`,

  open<T extends SymbolTable>(path: string, table: T): Symbols<T> {
    const symbols: Record<string, unknown> = {};
    for (const [name, definition] of Object.entries(table)) {
      symbols[name] = openOne(path, name, definition);
    }
    return symbols as Symbols<T>;
  },

  view(pointer: Pointer, length: number): Int32Array {
    return new Int32Array(
      bunFfi().toArrayBuffer(
        pointer as number,
        0,
        length * Int32Array.BYTES_PER_ELEMENT,
      ),
    );
  },
};
