/** The runtime that the program runs under. @module */

import { bunRuntime } from "./runtime_bun.ts";
import { denoRuntime } from "./runtime_deno.ts";
import type { Runtime } from "./runtime.ts";

/** Deno's or Bun's. */
export const thisRuntime: Runtime = "Bun" in globalThis
  ? bunRuntime
  : denoRuntime;
