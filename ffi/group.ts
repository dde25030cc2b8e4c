/** Functions of the C library that are opened together. @module */

import { prepareErrno } from "./errno.ts";
import { library } from "./library.ts";
import type { Symbols, SymbolTable } from "./runtime.ts";

/**
 * Functions of the C library that are opened together, on first use: opening
 * all of them would take some 6 ms of every program. A call through a group
 * costs 1 to 2 ns more than one of the bare symbol.
 */
export class Group<T extends SymbolTable> {
  readonly #table: T;
  #symbols: Symbols<T> | null = null;

  constructor(table: T) {
    this.#table = table;
  }

  /** The functions, by the names of the table. */
  get c(): Symbols<T> {
    return this.#symbols ??= this.#open();
  }

  #open(): Symbols<T> {
    prepareErrno();
    return library().open(this.#table);
  }
}
